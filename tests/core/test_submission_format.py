"""Each format of a submission is built, written, read, validated and parsed again."""

from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kagglecxr.core.errors import CxrError, SettingError, SubmissionError, UnknownNameError
from kagglecxr.core.files import read_table, write_table
from kagglecxr.core.findings import NO_FINDING
from kagglecxr.core.submission_format import FORMATS, SubmissionFormat
from kagglecxr.data.schema import SubmissionSettings

TARGETS = ["covid-19", "normal", "viral-pneumonia"]
NOTHING = {"", "nan", "none", "null"}
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1)
TARGET_NAMES = NAMES.filter(lambda name: name.strip().lower() not in NOTHING and name != "id")


def two_of(form: str) -> list[str]:
    """As many targets as the form can tell apart."""
    return TARGETS[:2] if form == "probability" else TARGETS


Case = tuple[SubmissionFormat, list[str], npt.NDArray[np.float64]]


@st.composite
def built(draw: st.DrawFn) -> Case:
    """A format, ids and probabilities that fit each other."""
    form = draw(st.sampled_from(FORMATS.names()))
    most = 2 if form == "probability" else 4
    targets = draw(st.lists(TARGET_NAMES, min_size=2, max_size=most, unique=True))
    # Where one target ends like another, a line's id has two meanings.
    ends = any(one != other and one.endswith(f"_{other}") for one in targets for other in targets)
    assume(form != "long" or not ends)
    plain = all("|" not in one and one == one.strip() and one != NO_FINDING for one in targets)
    assume(form != "joined" or plain)
    ids = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    weights = draw(
        st.lists(
            st.lists(st.floats(0.01, 1), min_size=len(targets), max_size=len(targets)),
            min_size=len(ids),
            max_size=len(ids),
        )
    )
    given = np.array(weights)
    positive = draw(st.sampled_from([None, *targets]))
    submission_format = FORMATS[form](targets, positive=positive)
    return submission_format, ids, given / given.sum(axis=1, keepdims=True)


@settings(deadline=None, max_examples=120)
@given(case=built(), random=st.randoms(use_true_random=False))
def test_what_is_built_is_parsed_again_whatever_the_order_of_the_lines(
    case: Case, random: Random, tmp_path_factory: pytest.TempPathFactory
) -> None:
    submission_format, ids, given = case
    folder = tmp_path_factory.getbasetemp()
    even = np.full_like(given, 1 / given.shape[1])
    write_table(folder / "sample.csv", submission_format.build(ids, even))
    whole = submission_format.build(ids, given)
    order = list(range(len(whole)))
    random.shuffle(order)
    write_table(folder / "shuffled.csv", whole.iloc[order])

    checked = submission_format.validate(
        read_table(folder / "shuffled.csv"), read_table(folder / "sample.csv")
    )

    assert submission_format.image_ids(list(checked["id"])) == ids
    expected = given
    if isinstance(submission_format, FORMATS["joined"]):
        expected = (given >= 0.5).astype(float)
    elif not submission_format.holds_probabilities:
        expected = np.eye(given.shape[1])[given.argmax(axis=1)]
    np.testing.assert_allclose(submission_format.parse(checked, ids), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("class", "image,answer\nx,normal\ny,covid-19\n"),
        ("class_id", "image,answer\nx,1\ny,0\n"),
        ("probability", "image,answer\nx,0.75\ny,0.125\n"),
        ("joined", "image,answer\nx,normal\ny,covid-19\n"),
        ("one_column_a_class", "image,covid-19,normal\nx,0.25,0.75\ny,0.875,0.125\n"),
    ],
)
def test_each_form_is_written_as_its_leaderboard_reads_it(
    form: str, text: str, tmp_path: Path
) -> None:
    given = np.array([[0.25, 0.75], [0.875, 0.125]])
    table = FORMATS[form](TARGETS[:2], "image", "answer").build(["x", "y"], given)
    write_table(tmp_path / "s.csv", table)
    assert (tmp_path / "s.csv").read_text() == text


@pytest.mark.parametrize("form", FORMATS.names())
def test_the_columns_are_those_that_are_built(form: str) -> None:
    targets = two_of(form)
    submission_format = FORMATS[form](targets, "image", "answer")
    table = submission_format.build(["x"], np.full((1, len(targets)), 1 / len(targets)))
    assert list(table.columns) == submission_format.columns()


def test_the_positive_class_defaults_to_the_last() -> None:
    given = np.array([[0.9, 0.1]])
    by_default = FORMATS["probability"](TARGETS[:2])
    named = FORMATS["probability"](TARGETS[:2], positive="covid-19")
    assert by_default.build(["x"], given)["label"].tolist() == [0.1]
    assert named.build(["x"], given)["label"].tolist() == [0.9]
    assert named.parse(named.build(["x"], given), ["x"])[0] == pytest.approx([0.9, 0.1])


def test_a_positive_class_that_is_no_target_is_the_users_mistake() -> None:
    submission_format = FORMATS["probability"](TARGETS[:2], positive="covid")
    with pytest.raises(CxrError, match="covid"):
        submission_format.build(["x"], np.array([[0.9, 0.1]]))


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="class_id"):
        FORMATS["classes"]


def table(text: str) -> pd.DataFrame:
    """A table of text cells from `id,label` lines."""
    header, *rows = [line.split(",") for line in text.split()]
    return pd.DataFrame(rows, columns=header, dtype=str)


SAMPLE = table("id,label a,normal b,normal c,normal d,normal e,normal")
GOOD = "id,label a,normal b,covid-19 c,normal d,normal e,normal"


@pytest.mark.parametrize(
    ("submission", "received"),
    [
        ("id,label a,normal b,normal c,normal d,normal", "1 such ids, e"),
        ("id,label a,normal", "4 such ids, b, c, d and 1 more"),
        (f"{GOOD} f,normal", "1 such ids, f"),
        (f"{GOOD} b,normal", "1 such ids, b"),
        (GOOD.replace("c,normal", "c,NaN"), "1 empty or NaN cells. Received: column 'label' of "),
        (GOOD.replace("c,normal", "c,"), "column 'label' of ids c"),
        (GOOD.replace("covid-19", "covid"), "1 of them, 'covid'"),
        (GOOD.replace("covid-19", "Covid-19"), "1 of them, 'Covid-19'"),
        (GOOD.replace("id,label", "Id,label"), "['Id', 'label']"),
        (GOOD.replace("id,label", "label,id"), "['label', 'id']"),
        ("id a b c d e", "['id']"),
        ("id,label,more a,normal,1", "['id', 'label', 'more']"),
        ("id,label", "5 such ids, a, b, c and 2 more"),
    ],
)
def test_a_submission_in_a_wrong_form_is_refused_by_what_was_received(
    submission: str, received: str
) -> None:
    with pytest.raises(SubmissionError) as caught:
        FORMATS["class"](TARGETS).validate(table(submission), SAMPLE)
    assert received in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("answer", ["3", "-1", "0.5", "one", "1e9", "inf", "0x1"])
def test_a_class_number_that_is_none_is_refused(answer: str) -> None:
    submission = table(f"id,label a,{answer}")
    with pytest.raises(SubmissionError, match=r"Use one of 0, 1, 2") as caught:
        FORMATS["class_id"](TARGETS).validate(submission, table("id,label a,0"))
    assert repr(answer) in str(caught.value)


@pytest.mark.parametrize("answer", ["1.01", "-0.1", "inf", "-inf", "50%", "half"])
@pytest.mark.parametrize("form", ["probability", "one_column_a_class"])
def test_a_probability_that_is_none_is_refused(form: str, answer: str) -> None:
    submission, sample = table(f"id,label a,{answer}"), table("id,label a,0.5")
    with pytest.raises(SubmissionError, match="between 0 and 1") as caught:
        FORMATS[form](["label"]).validate(submission, sample)
    assert repr(answer) in str(caught.value)


@pytest.mark.parametrize("form", FORMATS.names())
@pytest.mark.parametrize("answer", ["", "nan", "NaN", "null", "None"])
def test_an_empty_answer_is_refused_in_every_form(form: str, answer: str) -> None:
    submission, sample = table(f"id,label a,{answer}"), table("id,label a,0")
    with pytest.raises(SubmissionError, match=r"empty or NaN cells.*ids a"):
        FORMATS[form](["label"]).validate(submission, sample)


@pytest.mark.parametrize("name", ["none", "None"])
def test_a_class_may_be_called_none(name: str, tmp_path: Path) -> None:
    submission_format = FORMATS["class"](["covid-19", name])
    write_table(tmp_path / "s.csv", submission_format.build(["a"], np.array([[0.2, 0.8]])))
    submission = read_table(tmp_path / "s.csv")
    checked = submission_format.validate(submission, submission)
    assert submission_format.parse(checked, ["a"]).tolist() == [[0.0, 1.0]]


def test_a_validated_submission_has_numbers_where_the_form_holds_them() -> None:
    numbers = FORMATS["class_id"](TARGETS)
    checked = numbers.validate(table("id,label a,2"), table("id,label a,0"))
    assert checked["label"].tolist() == [2]
    chances = FORMATS["probability"](TARGETS[:2])
    checked = chances.validate(table("id,label a,2.5e-1"), table("id,label a,0"))
    assert checked["label"].tolist() == [0.25]


def test_classes_that_are_numbers_are_submitted_as_their_own(tmp_path: Path) -> None:
    numbers = FORMATS["class_id"](["1", "2", "10"])
    built = numbers.build(["a", "b"], np.array([[0.1, 0.2, 0.7], [0.1, 0.7, 0.2]]))
    assert built["label"].tolist() == [10, 2]
    write_table(tmp_path / "s.csv", built)
    checked = numbers.validate(read_table(tmp_path / "s.csv"), table("id,label a,1 b,1"))
    assert numbers.parse(checked, ["a", "b"]).argmax(axis=1).tolist() == [2, 1]
    with pytest.raises(SubmissionError, match="Use one of 1, 2, 10"):
        numbers.validate(table("id,label a,0"), table("id,label a,1"))


def test_the_first_of_two_equally_probable_classes_is_submitted() -> None:
    built = FORMATS["class"](TARGETS).build(["x"], np.array([[0.4, 0.4, 0.2]]))
    assert built["label"].tolist() == ["covid-19"]


def test_a_form_is_added_in_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FORMATS, "_entries", dict(FORMATS._entries))

    @FORMATS.add_as("percent")
    class PercentFormat(FORMATS["probability"]):  # type: ignore[misc]
        def _cells(self, probabilities: npt.NDArray[np.floating]) -> npt.NDArray[np.generic]:
            return np.array(100 * super()._cells(probabilities))

    settings = SubmissionSettings(form="percent")
    built = settings.for_targets(TARGETS[:2]).build(["x"], np.array([[0.75, 0.25]]))
    assert built["label"].tolist() == [25.0]


def test_findings_are_joined_as_the_sample_joins_them() -> None:
    submission_format = FORMATS["joined"](["Edema", "Mass"], separator=" ", none="-")
    given = np.array([[0.5, 0.9], [0.1, 0.2], [0.4, 0.6]])
    built = submission_format.build(["a", "b", "c"], given)
    assert built["label"].tolist() == ["Edema Mass", "-", "Mass"]
    sample = table("id,label a,- b,- c,-")
    parsed = submission_format.parse(submission_format.validate(built, sample), ["a", "b", "c"])
    assert parsed.tolist() == [[1, 1], [0, 0], [0, 1]]
    with pytest.raises(SubmissionError, match="Join Edema, Mass by ' ', or write '-'"):
        submission_format.validate(built.assign(label="Edema|Mass"), sample)


@pytest.mark.parametrize("none", ["none", "None", "nan", ""])
def test_a_word_for_no_finding_that_looks_empty_is_an_answer(none: str, tmp_path: Path) -> None:
    submission_format = FORMATS["joined"](["Edema", "Mass"], separator=", ", none=none)
    built = submission_format.build(["a", "b"], np.array([[0.9, 0.6], [0.1, 0.2]]))
    assert built["label"].tolist() == ["Edema, Mass", none]
    write_table(tmp_path / "s.csv", built)
    checked = submission_format.validate(read_table(tmp_path / "s.csv"), built)
    assert submission_format.parse(checked, ["a", "b"]).tolist() == [[1, 1], [0, 0]]
    own = built.assign(label=["Edema,Mass", none])
    assert submission_format.parse(own, ["a", "b"]).tolist() == [[1, 1], [0, 0]]


def test_no_finding_is_not_called_like_one() -> None:
    with pytest.raises(SettingError, match="none = 'Mass'"):
        SubmissionSettings(form="joined", none="Mass").for_targets(["Edema", "Mass"])
