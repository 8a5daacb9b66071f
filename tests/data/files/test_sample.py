"""A sample submission is read as it is, and has to be where the layout says."""

from pathlib import Path

import pytest

from kagglecxr.core.errors import MissingError
from kagglecxr.data.files.sample import SampleSubmission, own_sample
from kagglecxr.data.schema import Layout


def test_a_sample_is_a_table_of_text_and_its_path(tmp_path: Path) -> None:
    (tmp_path / "sample.csv").write_text("id;label\n007;1\n")
    sample = own_sample(tmp_path, Layout(sample="sample.csv"))
    assert sample is not None
    assert sample.path == tmp_path / "sample.csv"
    assert sample.table.to_dict("list") == {"id": ["007"], "label": ["1"]}


def test_without_a_name_there_is_none_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "sample_submission.csv").write_text("id,label\n")
    assert own_sample(tmp_path, Layout()) is None


def test_a_sample_that_is_not_there_is_refused_with_the_tables_that_are(tmp_path: Path) -> None:
    (tmp_path / "sample.csv").write_text("id,label\n")
    with pytest.raises(MissingError, match=r"sampleSubmission\.csv.*there is sample\.csv"):
        SampleSubmission.read(tmp_path / "sampleSubmission.csv")
