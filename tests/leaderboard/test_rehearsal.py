"""The rehearsal leaderboard: checks, scores, ranks, and what it writes down."""

import gzip
import json
import os
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata
from sklearn import metrics as scores

from kagglecxr.core.errors import CxrError, MissingError, SubmissionError
from kagglecxr.core.files import file_digest, write_table
from kagglecxr.core.metrics import METRICS, Metric
from kagglecxr.core.rules import ScoringSpec
from kagglecxr.core.submission_format import SubmissionFormat
from kagglecxr.core.workspace import Workspace
from kagglecxr.leaderboard.ledger import LedgerEntry, read_ledger, write_ledger
from kagglecxr.leaderboard.rehearsal import (
    REHEARSED,
    RehearsalResult,
    check_file,
    describe_rehearsal,
    newest_submission,
    read_solution,
    rehearse,
)

Probabilities = npt.NDArray[np.float64]

TARGETS = ["covid-19", "normal", "viral-pneumonia"]
TRUTH = [0, 0, 0, 1, 1, 1, 1, 2, 2]
IDS = [f"i{k}" for k in range(len(TRUTH))]
ALL_RIGHT = np.eye(3)[TRUTH]
SHARE = Metric("share", lambda truth, given: float((given.argmax(axis=1) == truth).mean()))
"""The accuracy, without the hundreds of calls to scikit-learn that a bootstrap would make."""


def answers(decided: list[int]) -> Probabilities:
    return np.eye(3)[decided]


def with_errors(count: int) -> Probabilities:
    """Answers of which the first `count` are wrong."""
    return answers([(k + 1) % 3 if i < count else k for i, k in enumerate(TRUTH)])


def lay_out(workspace: Workspace, form: SubmissionFormat, groups: list[str] | None = None) -> None:
    """Writes the rehearsal's solution, and the sample submission."""
    labels = [TARGETS[k] for k in TRUTH]
    solution = pd.DataFrame({"id": IDS, "label": labels, "group": groups or IDS})
    write_table(workspace.solution, solution)
    write_table(workspace.sample_submission, form.fill(IDS, np.full((len(IDS), 3), 1 / 3), TARGETS))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path / "work", "demo")
    lay_out(workspace, SubmissionFormat())
    return workspace


@pytest.fixture
def rules() -> ScoringSpec:
    return ScoringSpec("demo", SubmissionFormat(), TARGETS, SHARE)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "submissions" / "ledger.csv"


def submit(
    name: str,
    given: Probabilities,
    rules: ScoringSpec,
    workspace: Workspace,
    ledger: Path,
    *,
    time: str = "t",
    again: bool = False,
    references: dict[str, Probabilities] | None = None,
) -> RehearsalResult:
    """Writes a submission and has it scored."""
    file = ledger.parent / name
    write_table(file, rules.form.fill(IDS, given, TARGETS))
    return rehearse(file, rules, workspace, ledger, references or {}, time=time, again=again)


def places(verdict: RehearsalResult) -> list[tuple[int, str]]:
    return [(line.rank, line.name) for line in verdict.board]


@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "log_loss"])
def test_the_score_is_scikit_learns(name: str, workspace: Workspace, ledger: Path) -> None:
    form = SubmissionFormat(form="one_column_a_class")
    lay_out(workspace, form)
    given = np.random.default_rng(0).dirichlet([1, 1, 1], len(IDS))
    decided = given.argmax(axis=1)
    verdict = submit(
        "demo-a.csv", given, ScoringSpec("demo", form, TARGETS, METRICS[name]), workspace, ledger
    )
    expected = {
        "accuracy": scores.accuracy_score(TRUTH, decided),
        "balanced_accuracy": scores.balanced_accuracy_score(TRUTH, decided),
        "log_loss": scores.log_loss(TRUTH, given),
    }
    assert verdict.interval.score == pytest.approx(expected[name])
    assert verdict.interval.low < verdict.interval.score < verdict.interval.high


def test_the_ids_of_the_errors_are_told(
    rules: ScoringSpec, workspace: Workspace, ledger: Path
) -> None:
    verdict = submit("demo-a.csv", with_errors(2), rules, workspace, ledger)
    assert verdict.errors == ["i0", "i1"]
    assert verdict.images == 9
    assert verdict.interval.score == pytest.approx(7 / 9)


def test_the_order_of_the_lines_does_not_matter(
    rules: ScoringSpec, workspace: Workspace, ledger: Path
) -> None:
    told = submit("demo-a.csv", with_errors(3), rules, workspace, ledger)
    table = rules.form.fill(IDS, with_errors(3), TARGETS)
    file = ledger.parent / "demo-b.csv"
    order = list(range(len(IDS)))
    Random(0).shuffle(order)
    write_table(file, table.iloc[order])
    verdict = rehearse(file, rules, workspace, ledger, {}, time="t")
    assert verdict.interval == told.interval
    assert verdict.errors == told.errors


def test_the_order_of_the_solution_need_not_be_the_samples(
    rules: ScoringSpec, workspace: Workspace, ledger: Path
) -> None:
    write_table(workspace.solution, read_solution(workspace).iloc[::-1])
    references = {"strong": with_errors(1)[::-1]}
    verdict = submit("demo-a.csv", with_errors(2), rules, workspace, ledger, references=references)
    assert [line.score for line in verdict.board] == pytest.approx([8 / 9, 7 / 9])
    assert verdict.errors == ["i1", "i0"]


def test_patients_with_equal_images_make_the_score_less_sure(
    rules: ScoringSpec, workspace: Workspace, ledger: Path
) -> None:
    given = with_errors(3)
    alone = submit("demo-a.csv", given, rules, workspace, ledger).interval
    lay_out(workspace, SubmissionFormat(), groups=list("aaabbbccc"))
    together = submit("demo-a.csv", given, rules, workspace, ledger).interval
    assert together.score == alone.score
    assert together.high - together.low > 1.3 * (alone.high - alone.low)


def test_one_patient_alone_has_one_score_only(
    rules: ScoringSpec, workspace: Workspace, ledger: Path
) -> None:
    lay_out(workspace, SubmissionFormat(), groups=["a"] * len(IDS))
    interval = submit("demo-a.csv", with_errors(3), rules, workspace, ledger).interval
    assert interval.low == interval.score == interval.high


def test_the_same_seed_tells_the_same_interval(
    rules: ScoringSpec, workspace: Workspace, ledger: Path
) -> None:
    first = submit("demo-a.csv", with_errors(3), rules, workspace, ledger)
    assert submit("demo-a.csv", with_errors(3), rules, workspace, ledger).interval == first.interval


def test_references_are_ranked_with_the_submission(
    rules: ScoringSpec, workspace: Workspace, ledger: Path
) -> None:
    references = {"majority class": with_errors(5), "strong": with_errors(1)}
    verdict = submit("demo-a.csv", with_errors(3), rules, workspace, ledger, references=references)
    assert places(verdict) == [(1, "strong"), (2, "demo-a.csv"), (3, "majority class")]
    assert [line.is_baseline for line in verdict.board] == [True, False, True]
    assert [line.score for line in verdict.board] == pytest.approx([8 / 9, 6 / 9, 4 / 9])
    assert verdict.rank == 2
    assert len(read_ledger(ledger)) == 1


def test_where_less_is_better_the_smallest_score_is_first(
    workspace: Workspace, ledger: Path
) -> None:
    form = SubmissionFormat(form="one_column_a_class")
    lay_out(workspace, form)
    rules = ScoringSpec("demo", form, TARGETS, METRICS["log_loss"])
    references = {"even": np.full((9, 3), 1 / 3), "sure": 0.94 * ALL_RIGHT + 0.02}
    verdict = submit(
        "demo-a.csv", 0.7 * ALL_RIGHT + 0.1, rules, workspace, ledger, references=references
    )
    assert places(verdict) == [(1, "sure"), (2, "demo-a.csv"), (3, "even")]


@settings(deadline=None, max_examples=20)
@given(wrong=st.lists(st.integers(0, 9), max_size=6), own=st.integers(0, 9))
def test_equal_scores_share_the_better_rank(
    wrong: list[int], own: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("ranks")
    workspace = Workspace(root, "demo")
    lay_out(workspace, SubmissionFormat())
    rules = ScoringSpec("demo", SubmissionFormat(), TARGETS, SHARE)
    references = {f"r{i}": with_errors(count) for i, count in enumerate(wrong)}
    verdict = submit(
        "demo-a.csv", with_errors(own), rules, workspace, root / "l.csv", references=references
    )
    expected = rankdata([own, *wrong], method="min").astype(int).tolist()
    rank_of = {line.name: line.rank for line in verdict.board}
    assert [rank_of["demo-a.csv"], *[rank_of[f"r{i}"] for i in range(len(wrong))]] == expected
    assert verdict.rank == expected[0]


@pytest.mark.parametrize("wrong", [0, 1, 3, 4])
def test_a_submission_shares_the_rank_of_an_earlier_one_of_equal_score(
    wrong: int, rules: ScoringSpec, workspace: Workspace, ledger: Path
) -> None:
    last_wrong = [(k + 1) % 3 if i >= 9 - wrong else k for i, k in enumerate(TRUTH)]
    submit("demo-a.csv", with_errors(wrong), rules, workspace, ledger, time="t1")
    # The lines are turned round so that the bytes differ even where no answer does.
    later = rules.form.fill(IDS, answers(last_wrong), TARGETS).iloc[::-1]
    write_table(ledger.parent / "demo-b.csv", later)
    verdict = rehearse(ledger.parent / "demo-b.csv", rules, workspace, ledger, {}, time="t2")
    assert sorted(places(verdict)) == [(1, "demo-a.csv, t1"), (1, "demo-b.csv")]


def test_the_ledger_tells_all_of_a_new_submission(
    rules: ScoringSpec, workspace: Workspace, ledger: Path
) -> None:
    file = ledger.parent / "demo-a.csv"
    write_table(file, rules.form.fill(IDS, with_errors(3), TARGETS))
    references = {"strong": ALL_RIGHT}
    verdict = rehearse(file, rules, workspace, ledger, references, time="now", message="first, try")
    assert verdict.is_new
    assert read_ledger(ledger) == [
        LedgerEntry(
            time="now",
            competition="demo",
            file=str(file),
            sha256=file_digest(file),
            message="first, try",
            ref=file_digest(workspace.solution)[:12],
            status=REHEARSED,
            rank="2",
            local_score="0.666667",
        )
    ]


def test_the_same_bytes_add_no_second_line(
    rules: ScoringSpec, workspace: Workspace, ledger: Path
) -> None:
    first = submit("demo-a.csv", with_errors(3), rules, workspace, ledger, time="t1")
    second = submit("demo-b.csv", with_errors(3), rules, workspace, ledger, time="t2")
    assert first.is_new
    assert not second.is_new
    assert second.interval == first.interval
    assert places(second) == [(1, "demo-b.csv")]
    assert [entry.time for entry in read_ledger(ledger)] == ["t1"]


def test_the_same_bytes_add_a_line_where_asked_again(
    rules: ScoringSpec, workspace: Workspace, ledger: Path
) -> None:
    submit("demo-a.csv", with_errors(3), rules, workspace, ledger, time="t1")
    verdict = submit("demo-a.csv", with_errors(3), rules, workspace, ledger, time="t2", again=True)
    assert verdict.is_new
    assert [entry.time for entry in read_ledger(ledger)] == ["t1", "t2"]


def test_an_earlier_file_of_the_same_name_is_told_by_its_time(
    rules: ScoringSpec, workspace: Workspace, ledger: Path
) -> None:
    submit("demo-a.csv", with_errors(1), rules, workspace, ledger, time="t1")
    verdict = submit("demo-a.csv", with_errors(2), rules, workspace, ledger, time="t2")
    assert places(verdict) == [(1, "demo-a.csv, t1"), (2, "demo-a.csv")]
    assert verdict.rank == 2


def test_entries_of_another_test_part_do_not_appear_and_are_kept(
    rules: ScoringSpec, workspace: Workspace, ledger: Path
) -> None:
    submit("demo-a.csv", ALL_RIGHT, rules, workspace, ledger, time="t1")
    lay_out(workspace, SubmissionFormat(), groups=list("aaabbbccc"))
    verdict = submit("demo-b.csv", with_errors(2), rules, workspace, ledger, time="t2")
    assert places(verdict) == [(1, "demo-b.csv")]
    assert [entry.time for entry in read_ledger(ledger)] == ["t1", "t2"]


def test_the_same_file_on_another_test_part_is_a_new_line(
    rules: ScoringSpec, workspace: Workspace, ledger: Path
) -> None:
    submit("demo-a.csv", ALL_RIGHT, rules, workspace, ledger, time="t1")
    lay_out(workspace, SubmissionFormat(), groups=list("aaabbbccc"))
    assert submit("demo-a.csv", ALL_RIGHT, rules, workspace, ledger, time="t2").is_new
    assert len(read_ledger(ledger)) == 2


def test_entries_of_another_competition_do_not_appear_and_are_kept(
    rules: ScoringSpec, workspace: Workspace, ledger: Path
) -> None:
    part = file_digest(workspace.solution)[:12]
    other = LedgerEntry("t1", "umons", "umons-a.csv", "aa", ref=part, local_score="1.0")
    kaggle = LedgerEntry("t2", "demo", "demo-k.csv", "bb", ref="52417", public_score="0.99")
    write_ledger(ledger, [other, kaggle])
    verdict = submit("demo-a.csv", with_errors(2), rules, workspace, ledger, time="t3")
    assert places(verdict) == [(1, "demo-a.csv")]
    assert read_ledger(ledger)[:2] == [other, kaggle]


def test_a_refused_submission_leaves_the_ledger_as_it_was(
    rules: ScoringSpec, workspace: Workspace, ledger: Path
) -> None:
    submit("demo-a.csv", ALL_RIGHT, rules, workspace, ledger)
    before = ledger.read_bytes()
    bad = ledger.parent / "bad.csv"
    bad.write_text("id,label\ni0,normal\n")
    with pytest.raises(SubmissionError):
        rehearse(bad, rules, workspace, ledger, {}, time="t")
    assert ledger.read_bytes() == before


def good_text() -> str:
    return "id,label\n" + "".join(f"{i},{TARGETS[k]}\n" for i, k in zip(IDS, TRUTH, strict=True))


@pytest.mark.parametrize(
    ("content", "received"),
    [
        (good_text().replace("i8,viral-pneumonia\n", ""), "1 such ids, i8"),
        (good_text() + "i9,normal\n", "1 such ids, i9"),
        (good_text() + "i8,normal\n", "1 such ids, i8"),
        (good_text().replace("i3,normal", "i3,NaN"), "column 'label' of ids i3"),
        (good_text().replace("i3,normal", "i3,"), "column 'label' of ids i3"),
        (good_text().replace("i3,normal", "i3"), "i3"),
        (good_text().replace("i3,normal", "i3,healthy"), "'healthy'"),
        (good_text().replace("id,label", "id,class"), "['id', 'class']"),
        (good_text().replace(",", ";"), "['id;label']"),
        (good_text().replace("i3,normal", "i3,normal,1"), "Expected 2 fields in line 5, saw 3"),
        (good_text().replace("i3,", '"i3,'), "bad.csv"),
        ("", "bad.csv"),
        ("\n \n", "bad.csv"),
        ("id,label\n", "9 such ids, i0, i1, i2 and 6 more"),
        (json.dumps({"i0": "normal"}), "i0"),
        ("<!doctype html>\n<title>Sign in</title>\n", "doctype"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\xff\xfe", "bad.csv"),
        (gzip.compress(good_text().encode(), mtime=0), "bad.csv"),
        (good_text().encode("utf-16"), "bad.csv"),
    ],
)
def test_a_bad_file_is_refused_in_one_line_that_names_what_was_received(
    content: str | bytes, received: str, rules: ScoringSpec, workspace: Workspace
) -> None:
    file = workspace.root / "bad.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(SubmissionError) as caught:
        check_file(file, rules, workspace)
    assert received in str(caught.value)
    assert "\n" not in str(caught.value)


@settings(deadline=None, max_examples=60)
@given(content=st.binary(max_size=60) | st.text(max_size=40).map(str.encode))
def test_no_bytes_whatever_are_a_fault_of_ours(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    workspace = Workspace(tmp_path_factory.getbasetemp() / "bytes", "demo")
    lay_out(workspace, SubmissionFormat())
    file = workspace.root / "bytes.csv"
    file.write_bytes(content)
    with pytest.raises(CxrError):
        check_file(file, ScoringSpec("demo", SubmissionFormat(), TARGETS, SHARE), workspace)


def test_a_file_that_is_not_there_is_named(rules: ScoringSpec, workspace: Workspace) -> None:
    with pytest.raises(MissingError, match=r"demo-none\.csv"):
        check_file(workspace.root / "demo-none.csv", rules, workspace)


def test_a_folder_is_no_submission(rules: ScoringSpec, workspace: Workspace) -> None:
    with pytest.raises(MissingError):
        check_file(workspace.root, rules, workspace)


def test_without_a_sample_submission_prepare_is_named(
    rules: ScoringSpec, workspace: Workspace
) -> None:
    workspace.sample_submission.unlink()
    file = workspace.root / "demo-a.csv"
    file.write_text(good_text())
    with pytest.raises(MissingError, match=r"kagglecxr\.prepare demo"):
        check_file(file, rules, workspace)


def test_a_good_file_is_given_back_in_the_samples_order(
    rules: ScoringSpec, workspace: Workspace
) -> None:
    header, *lines = good_text().splitlines()
    file = workspace.root / "demo-a.csv"
    file.write_text("\r\n".join([header, *reversed(lines)]), encoding="utf-8-sig")
    checked = check_file(file, rules, workspace)
    assert list(checked["id"]) == IDS
    assert list(checked["label"]) == [TARGETS[k] for k in TRUTH]


def test_without_a_solution_prepare_is_named_with_its_option(
    rules: ScoringSpec, workspace: Workspace, ledger: Path
) -> None:
    workspace.solution.unlink()
    with pytest.raises(MissingError, match=r"prepare demo --test 0\.2"):
        read_solution(workspace)
    with pytest.raises(MissingError, match="rehearsal test part"):
        submit("demo-a.csv", ALL_RIGHT, rules, workspace, ledger)
    assert not ledger.exists()


def test_the_verdict_is_told_as_score_rank_and_leaderboard(
    rules: ScoringSpec, workspace: Workspace, ledger: Path
) -> None:
    references = {"majority class": with_errors(5), "strong": with_errors(3)}
    verdict = submit("demo-a.csv", with_errors(3), rules, workspace, ledger, references=references)
    first, second, *board = describe_rehearsal(verdict, rules).splitlines()
    interval = verdict.interval
    assert first == (
        f"share: 0.6667 (95 % interval {interval.low:.4f} to {interval.high:.4f}) "
        "on 9 images, 3 errors"
    )
    assert second == "Rank 1 of 3 on the rehearsal leaderboard:"
    assert sorted(line.split() for line in board) == [
        ["1", "demo-a.csv", "0.6667"],
        ["1", "strong", "0.6667", "reference"],
        ["3", "majority", "class", "0.4444", "reference"],
    ]


def touch(path: Path, age: int) -> Path:
    path.write_text("id,label\n")
    os.utime(path, (age, age))
    return path


def test_the_newest_submission_is_the_one_written_last(tmp_path: Path) -> None:
    touch(tmp_path / "demo-z.csv", 100)
    newest = touch(tmp_path / "demo-a.csv", 200)
    touch(tmp_path / "umons-a.csv", 300)
    touch(tmp_path / "ledger.csv", 400)
    touch(tmp_path / "demo-a.json", 500)
    assert newest_submission(tmp_path, "demo") == newest


def test_a_submission_of_a_competition_whose_name_goes_on_is_not_taken(tmp_path: Path) -> None:
    own = touch(tmp_path / "covid19-radiography-cnn_small-01234567.csv", 100)
    touch(tmp_path / "covid19-radiography-covid-cnn_small-01234567.csv", 200)
    touch(tmp_path / "covid19-radiography-3-classes-mean-01234567.csv", 300)
    assert newest_submission(tmp_path, "covid19-radiography") == own


def test_where_there_is_no_submission_the_verb_is_named(tmp_path: Path) -> None:
    touch(tmp_path / "umons-a.csv", 300)
    with pytest.raises(MissingError, match=r"kagglecxr\.ensemble demo") as caught:
        newest_submission(tmp_path, "demo")
    assert str(tmp_path) in str(caught.value)


def test_no_folder_holds_no_submission(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        newest_submission(tmp_path / "submissions", "demo")
