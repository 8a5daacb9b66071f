"""The built-in competition: fixed by its seed, plausible, its classes known by opacities alone."""

from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest

from kagglecxr.core.errors import DataError
from kagglecxr.core.progress import Silent
from kagglecxr.data.competition import load_competition
from kagglecxr.data.files.layout import find_images
from kagglecxr.data.images.decode import read_image
from kagglecxr.data.phantoms import IMAGES, demo_data, make_demo

FIFTEEN = {"COVID": 3, "Lung_Opacity": 4, "Normal": 6, "Viral Pneumonia": 2}
FIVE = {"COVID": 1, "Lung_Opacity": 1, "Normal": 2, "Viral Pneumonia": 1}


class Interrupted(Exception):  # noqa: N818 it is no error
    """Raised in the midst of drawing."""


class Impatient(Silent):
    """Stops whatever it watches after some items."""

    def __init__(self, items: int) -> None:
        self.left = items

    def bar(self, what: str, total: int) -> "Impatient":  # type: ignore[override]
        return self

    def __enter__(self) -> "Impatient":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def advance(self, items: int = 1) -> None:
        self.left -= items
        if self.left <= 0:
            raise Interrupted


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module", autouse=True)
def few_images() -> Iterator[None]:
    """All demos of this module are small."""
    with patch.object(demo_data, "IMAGES", FIFTEEN):
        yield


@pytest.fixture(scope="module")
def made(few_images: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small demo of seed 0. Only to be read."""
    return make_demo(tmp_path_factory.mktemp("small"), 0, Silent())


def test_the_same_seed_makes_the_same_bytes(made: Path, tmp_path: Path) -> None:
    assert contents(make_demo(tmp_path, 0, Silent())) == contents(made)


def test_another_seed_makes_other_images_of_other_patients(made: Path, tmp_path: Path) -> None:
    first, second = contents(made), contents(make_demo(tmp_path, 1, Silent()))
    images = [path for path in first if path.endswith(".png") and path in second]
    assert len(images) > 20
    assert all(first[path] != second[path] for path in images)


def test_it_is_laid_out_as_the_radiography_database(made: Path) -> None:
    table = find_images(made, load_competition("demo")).table
    metadata = pd.read_csv(made / "metadata.csv", dtype=str)
    assert list(metadata.columns) == ["path", "label", "source", "patient_id", "mask_path"]
    assert set(table["path"]) == set(metadata["path"])
    assert (metadata["path"].str.split("/").str[0] == metadata["label"]).all()
    assert (table["mask"] == table["path"].str.replace("/images/", "/masks/")).all()
    assert (table[["group", "source"]] != "").all(axis=None)
    for image, mask in zip(table["path"], table["mask"], strict=True):
        assert read_image(made / image).shape == read_image(made / mask).shape == (256, 256)


def test_classes_are_unbalanced_and_as_many_as_they_should_be(demo_images: Path) -> None:
    metadata = pd.read_csv(demo_images / "metadata.csv")
    counts = metadata["label"].value_counts().to_dict()
    assert counts == {label: round(0.2 * images) for label, images in IMAGES.items()}
    assert max(counts.values()) > 3 * min(counts.values())


def test_a_patient_has_one_class_one_hospital_and_up_to_four_images(demo_images: Path) -> None:
    patients = pd.read_csv(demo_images / "metadata.csv").groupby("patient_id")
    assert (patients["label"].nunique() == 1).all()
    assert (patients["source"].nunique() == 1).all()
    assert set(patients.size()) == {1, 2, 3, 4}


def test_hospitals_do_not_tell_the_class(demo_images: Path) -> None:
    metadata = pd.read_csv(demo_images / "metadata.csv")
    assert (metadata.groupby("label")["source"].nunique() == 3).all()


def test_the_images_of_one_patient_differ(made: Path) -> None:
    metadata = pd.read_csv(made / "metadata.csv")
    for _, paths in metadata.groupby("patient_id")["path"]:
        images = [read_image(made / path) for path in paths]
        for k, image in enumerate(images):
            for other in images[:k]:
                assert np.abs(image.astype(int) - other).mean() > 3


def test_an_interrupted_demo_is_completed_to_the_same_bytes_and_keeps_what_was_drawn(
    made: Path, tmp_path: Path
) -> None:
    with pytest.raises(Interrupted):
        make_demo(tmp_path, 0, Impatient(5))
    assert not (tmp_path / "metadata.csv").exists()
    kept = tmp_path / "COVID" / "images" / "COVID-1.png"
    before = kept.stat()
    make_demo(tmp_path, 0, Silent())
    assert contents(tmp_path) == contents(made)
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_images_of_an_interrupted_demo_of_another_seed_are_drawn_anew(
    made: Path, tmp_path: Path
) -> None:
    with pytest.raises(Interrupted):
        make_demo(tmp_path, 1, Impatient(5))
    make_demo(tmp_path, 0, Silent())
    assert contents(tmp_path) == contents(made)


def test_images_that_the_demo_did_not_draw_are_never_removed(tmp_path: Path) -> None:
    own = tmp_path / "COVID" / "images" / "COVID-1.png"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"a user's")
    with pytest.raises(DataError, match="did not draw"):
        make_demo(tmp_path, 0, Silent())
    assert own.read_bytes() == b"a user's"


@patch.object(demo_data, "IMAGES", FIVE)
def test_a_whole_demo_is_left_as_it_is(tmp_path: Path) -> None:
    make_demo(tmp_path, 0, Silent())
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    make_demo(tmp_path, 0, Impatient(1))
    assert {path: path.stat().st_mtime_ns for path in before} == before


@patch.object(demo_data, "IMAGES", FIVE)
def test_a_demo_of_another_seed_replaces_the_one_that_was_there(tmp_path: Path) -> None:
    make_demo(tmp_path / "there", 1, Silent())
    make_demo(tmp_path / "there", 0, Silent())
    make_demo(tmp_path / "fresh", 0, Silent())
    assert contents(tmp_path / "there") == contents(tmp_path / "fresh")


def test_an_interrupted_demo_leaves_whole_images_only(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        make_demo(tmp_path, 0, Impatient(3))
    leftovers = [path for path in tmp_path.rglob("*") if path.name.startswith(".writing-")]
    assert leftovers == []
    for path in tmp_path.rglob("*.png"):
        read_image(path)
