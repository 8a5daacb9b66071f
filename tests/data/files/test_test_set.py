"""The test set is matched with its sample submission, whatever the training set is."""

from pathlib import Path

import pytest

from kagglecxr.core.errors import DataError, MissingError, SettingError
from kagglecxr.data.competition import Competition
from kagglecxr.data.files.sample import SAMPLE, SampleSubmission
from kagglecxr.data.files.test_set import TestSet, find_test_set, list_test_images
from tests.data.files.test_layout import described, fill

COMPETITION = described('test = ["test/*"]\ntrain = ["train/{class}/*"]')


def found(root: Path, competition: Competition) -> TestSet:
    images = list_test_images(root, competition)
    sample = SampleSubmission.read(root / (competition.layout.sample or SAMPLE))
    return find_test_set(list(sample.table["id"]), images, by_pattern=True)


def sample(root: Path, *ids: str) -> Path:
    (root / "sample_submission.csv").write_text("".join(f"{i},well\n" for i in ("id", *ids)))
    return root


def test_ids_with_or_without_suffix_or_folder_find_their_images(tmp_path: Path) -> None:
    root = sample(fill(tmp_path, "test/a.png", "test/b.JPG", "test/1.2.3.png"), "b.jpg", "1.2.3",
                  "test/a.png")  # fmt: skip
    part = found(root, COMPETITION)
    assert part.path_of == {
        "b.jpg": "test/b.JPG", "1.2.3": "test/1.2.3.png", "test/a.png": "test/a.png"
    }  # fmt: skip
    assert part.extra == []


def test_ids_without_an_image_stay_and_images_without_an_id_are_reported(tmp_path: Path) -> None:
    root = sample(fill(tmp_path, "test/a.png", "test/z.png", "train/ill/a.png"), "a", "gone")
    part = found(root, COMPETITION)
    assert part.path_of == {"a": "test/a.png"}
    assert part.extra == ["test/z.png"]


def test_the_sample_is_where_the_layout_says(tmp_path: Path) -> None:
    fill(tmp_path, "test/a.png")
    (tmp_path / "mine.csv").write_text("id,label\na,well\n")
    part = found(tmp_path, described('test = ["test/*"]\ntrain = []\nsample = "mine.csv"'))
    assert part.path_of == {"a": "test/a.png"}


def test_what_cannot_be_predicted_is_refused(tmp_path: Path) -> None:
    root = fill(tmp_path, "test/a.png", "test/b.png")
    with pytest.raises(MissingError, match=r"sample_submission\.csv"):
        found(root, COMPETITION)
    with pytest.raises(SettingError, match=r"\[layout\] test"):
        found(root, described())
    with pytest.raises(DataError, match=r"test/a\.png.* ids x, y"):
        found(sample(root, "x", "y"), COMPETITION)
    with pytest.raises(DataError, match=r"name one image.* a\.jpg, a\.png"):
        found(sample(root, "a.png", "a.jpg"), COMPETITION)
    fill(root, "test/a.jpg")
    with pytest.raises(DataError, match=r"one name.*for the id 'a'"):
        found(sample(root, "a", "b"), COMPETITION)


def test_where_tables_tell_the_test_set_other_images_are_no_matter(tmp_path: Path) -> None:
    part = find_test_set(["a"], ["x/a.png", "x/b.png"], by_pattern=False)
    assert (part.path_of, part.extra) == ({"a": "x/a.png"}, [])
