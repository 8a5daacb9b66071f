"""What a sample submission says of the form of submissions."""

from pathlib import Path

import pandas as pd
import pytest

from kagglecxr.core.errors import DataError, SettingError
from kagglecxr.data.competition import Layout
from kagglecxr.data.files.layout import FoundImages
from kagglecxr.data.files.sample import SampleSubmission
from kagglecxr.data.sample_form import with_sample_form, with_table_form
from tests.data.test_holdout import described


@pytest.mark.parametrize(
    ("header", "given", "expected"),
    [
        ("Image,Class", {}, ("Image", "Class", "class")),
        ("Image,Class", {"form": "class_id"}, ("Image", "Class", "class_id")),
        ("image,well,unwell", {}, ("image", "label", "one_column_a_class")),
        ("id,label", {"id": "id"}, ("id", "label", "class")),
    ],
)
def test_what_the_toml_leaves_out_the_sample_says(
    tmp_path: Path, header: str, given: dict[str, str], expected: tuple[str, str, str]
) -> None:
    (tmp_path / "sample.csv").write_text(header + "\n")
    competition = described(layout=Layout(sample="sample.csv"), submission=given)
    form = with_sample_form(
        competition, [], SampleSubmission.read(tmp_path / "sample.csv")
    ).submission
    assert (form.id, form.target, form.form) == expected


@pytest.mark.parametrize(
    ("header", "given"),
    [
        ("Image,Class", {"id": "id"}),
        ("id,label,extra", {}),
        ("id,well", {"form": "one_column_a_class"}),
    ],
)
def test_columns_that_contradict_the_toml_are_refused_before_training(
    tmp_path: Path, header: str, given: dict[str, str]
) -> None:
    (tmp_path / "sample.csv").write_text(header + "\n")
    competition = described(layout=Layout(sample="sample.csv"), submission=given)
    with pytest.raises(DataError, match=rf"with {', '.join(header.split(','))}; wanted"):
        with_sample_form(competition, [], SampleSubmission.read(tmp_path / "sample.csv"))


def form_of(root: Path, text: str, **given: str) -> str:
    (root / "sample.csv").write_text(text)
    competition = described(layout=Layout(sample="sample.csv"), submission=given)
    return with_sample_form(
        competition, [], SampleSubmission.read(root / "sample.csv")
    ).submission.form


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("id,label\na,well\nb,unwell\n", "class"),
        ("id,label\na,\nb,\n", "class"),
        ("id,label\na,0\nb,1\n", "class_id"),
        ("id,p\na,0.5\nb,0.5\n", "probability"),
        ("id,p\na_well,0.5\na_unwell,0.5\n", "long"),
        ("id,well,unwell\na,0.5,0.5\n", "one_column_a_class"),
    ],
)
def test_the_form_is_read_from_the_answers(tmp_path: Path, text: str, form: str) -> None:
    assert form_of(tmp_path, text) == form


@pytest.mark.parametrize("given", [{}, {"form": "class"}])
def test_answers_that_are_no_class_are_refused(tmp_path: Path, given: dict[str, str]) -> None:
    with pytest.raises(DataError, match=r"'Well'; classes are unwell, well"):
        form_of(tmp_path, "id,label\na,Well\n", **given)


def test_answers_of_a_form_that_the_toml_names_are_left_alone(tmp_path: Path) -> None:
    assert form_of(tmp_path, "id,p\na,0.5 0 0 9 9\n", form="probability") == "probability"


def test_a_column_that_is_called_like_a_class_asks_for_its_probability(tmp_path: Path) -> None:
    (tmp_path / "sample.csv").write_text("id,unwell\na,0.5\n")
    competition = described(layout=Layout(sample="sample.csv"))
    settings = with_sample_form(
        competition, [], SampleSubmission.read(tmp_path / "sample.csv")
    ).submission
    assert (settings.form, settings.positive) == ("probability", "unwell")


def test_the_column_of_ids_is_the_one_that_names_the_test_images(tmp_path: Path) -> None:
    (tmp_path / "sample.csv").write_text("label,id\nwell,t1\nwell,t2\n")
    competition = described(layout=Layout(sample="sample.csv"))
    images = ["test/t1.png", "test/t2.png"]
    settings = with_sample_form(
        competition, [], SampleSubmission.read(tmp_path / "sample.csv"), images
    ).submission
    assert (settings.id, settings.target, settings.form) == ("id", "label", "class")


def test_a_metric_of_probabilities_reads_zeros_as_probabilities(tmp_path: Path) -> None:
    (tmp_path / "sample.csv").write_text("id,answer\na,0\n")
    competition = described(layout=Layout(sample="sample.csv"), metric={"name": "auc"})
    assert (
        with_sample_form(
            competition, [], SampleSubmission.read(tmp_path / "sample.csv")
        ).submission.form
        == "probability"
    )
    (tmp_path / "sample.csv").write_text("id,answer\na,well\n")
    with pytest.raises(SettingError, match=r"metric auc.*asks for names|needs probabilities"):
        with_sample_form(competition, [], SampleSubmission.read(tmp_path / "sample.csv"))


def test_a_single_finding_is_refused() -> None:
    images = FoundImages(pd.DataFrame({"label": ["Mass", "No Finding"]}), "", None, True, ("Mass",))
    competition = described(classes={})
    with pytest.raises(SettingError, match=r"two classes. Received: 'Mass'"):
        with_table_form(competition, images)
