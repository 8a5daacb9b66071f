"""Any image files get masks of their size, and those that cannot be read are named."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from kagglecxr.core.errors import DataError, MissingError, SettingError
from kagglecxr.core.files import read_table, write_table
from kagglecxr.core.progress import Silent
from kagglecxr.segmentation.mask_files import FLAGS, MaskFolder, names_of
from kagglecxr.segmentation.segment_files import segment_files
from tests.notes import Notes
from tests.segmentation.conftest import MaskedFolder
from tests.segmentation.mask_runs import mask_run, predict_without_models


@pytest.fixture
def run(folder: MaskedFolder, monkeypatch: pytest.MonkeyPatch) -> Path:
    predict_without_models(monkeypatch)
    return mask_run(folder.data, folder.workspace, "run", [0.9, 0.9])


@pytest.fixture
def images(tmp_path: Path) -> dict[str, tuple[int, int]]:
    """Files of several sizes, one of them in colour, by their paths."""
    sizes = {f"{tmp_path}/wide.png": (30, 50), f"{tmp_path}/tall.jpg": (70, 20)}
    for path, size in sizes.items():
        cv2.imwrite(path, np.full((*size, 3), 90, np.uint8))
    return sizes


def test_masks_have_their_images_names_and_sizes(
    run: Path, images: dict[str, tuple[int, int]], tmp_path: Path
) -> None:
    out = tmp_path / "new" / "out"
    table = segment_files(run, list(images), out, tmp_path / "scratch", Silent())
    for path, size in images.items():
        mask = cv2.imread(str(out / f"{Path(path).stem}.png"), cv2.IMREAD_UNCHANGED)
        assert mask.shape == size
        assert (mask == 255).all()
    assert sorted(path.name for path in out.iterdir()) == ["flags.csv", "tall.png", "wide.png"]
    flags = read_table(out / "flags.csv")
    assert flags["path"].tolist() == table["path"].tolist() == list(images)
    assert flags["mask"].tolist() == ["wide.png", "tall.png"]
    assert [float(area) for area in flags["area"]] == [1.0, 1.0]
    assert all("large" in words for words in flags["suspicious"])


def test_files_that_cannot_be_read_are_named_and_left_out(
    run: Path, images: dict[str, tuple[int, int]], tmp_path: Path
) -> None:
    broken, absent = tmp_path / "broken.png", tmp_path / "absent.png"
    broken.write_bytes(b"no image")
    paths = [str(broken), *images, str(absent)]
    reporter, out = Notes(), tmp_path / "out"
    table = segment_files(run, paths, out, tmp_path / "scratch", reporter)
    assert table["path"].tolist() == list(images)
    assert not (out / "broken.png").exists()
    (note,) = reporter.told
    assert note.startswith("Left out 2 images that cannot be read: ")
    assert f"{broken} (" in note
    assert f"{absent} (" in note
    with pytest.raises(DataError, match=r"No image can be read\. Received: .*broken\.png"):
        segment_files(run, [str(broken)], tmp_path / "none", tmp_path / "scratch", Silent())
    assert not (tmp_path / "none").exists()


def test_two_images_of_one_name_are_refused_before_anything_is_written(
    run: Path, images: dict[str, tuple[int, int]], tmp_path: Path
) -> None:
    other = tmp_path / "b" / "wide.jpg"
    with pytest.raises(DataError, match=r"one name.*b/wide\.jpg and .*/wide\.png"):
        segment_files(run, [*images, str(other)], tmp_path / "out", tmp_path / "s", Silent())
    assert not (tmp_path / "out").exists()


def test_one_path_twice_is_one_image() -> None:
    assert names_of(["a/x.png", "a/y.v2.png", "a/x.png"]) == ["x", "y.v2", "x"]


def test_a_name_may_have_folders(tmp_path: Path) -> None:
    masks = MaskFolder(tmp_path)
    masks.write_mask("test/1", np.full((3, 4), 255, np.uint8))
    assert cv2.imread(str(tmp_path / "test" / "1.png"), cv2.IMREAD_UNCHANGED).shape == (3, 4)


@pytest.mark.parametrize("name", ["none.keras", "no run"])
def test_a_model_that_is_not_there_is_told(
    images: dict[str, tuple[int, int]], tmp_path: Path, name: str
) -> None:
    with pytest.raises(MissingError, match=rf"no such net.*{name}"):
        segment_files(tmp_path / name, list(images), tmp_path / "out", tmp_path / "s", Silent())


def test_masks_never_replace_images_nor_the_picture_of_suspicious_ones(tmp_path: Path) -> None:
    folder = MaskFolder(tmp_path)
    with pytest.raises(SettingError, match=r"replace images.*a\.png\. Name another folder"):
        folder.check([str(tmp_path / "a.png"), "b.jpg"], ["a", "b"])
    folder.check([str(tmp_path / "a.jpg")], ["a"])
    with pytest.raises(DataError, match="an image suspicious"):
        folder.check(["suspicious.jpg"], ["suspicious"])
    (tmp_path / "file").touch()
    with pytest.raises(SettingError, match=r"the file .*file"):
        MaskFolder(tmp_path / "file").check([], [])


def test_masks_written_before_are_not_taken_for_images(tmp_path: Path) -> None:
    folder = MaskFolder(tmp_path / "masks")
    images = [str(tmp_path / name) for name in ("a.png", "masks/a.png", "masks/suspicious.png")]
    assert folder.without_own(images) == images
    write_table(folder.root / FLAGS, pd.DataFrame({"mask": ["a.png"]}))
    assert folder.without_own(images) == images[:1]
