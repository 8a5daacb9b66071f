"""Images with masks: which are learned from, in which folds, and which masks are refused."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from kagglecxr.core.errors import DataError, MissingError
from kagglecxr.core.progress import Silent
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.data.index import OUT_OF_FOLD, PREDICTED, Index
from kagglecxr.data.masked import MaskedData, by_source, load_masked, of_sources
from kagglecxr.data.predicted_masks import with_predicted_masks, write_predicted_masks
from kagglecxr.data.prepared import PreparedData
from tests.conftest import PreparedDemo
from tests.notes import Notes

Pixels = npt.NDArray[np.uint8]
SIDE = 60
PIPELINE = Pipeline.parse("gray | resize", 32)


def lungs(side: int = SIDE) -> Pixels:
    mask = np.zeros((side, side), np.uint8)
    mask[side // 5 : side // 2, side // 5 : side // 2] = 255
    return mask


@dataclasses.dataclass(frozen=True)
class Folder:
    """Eight training images and a test image, each with a mask, in two folds."""

    prepared: PreparedData
    workspace: Workspace

    def load(self, source: str | None = None, reporter: Silent | None = None) -> MaskedData:
        return load_masked(self.prepared, self.workspace, PIPELINE, reporter or Silent(), source)

    def write(self, name: str, mask: Pixels) -> None:
        cv2.imwrite(str(self.prepared.root / name), mask)

    def changed(self, **columns: Sequence[str]) -> "Folder":
        table = self.prepared.index.table.assign(**columns)
        return dataclasses.replace(
            self, prepared=dataclasses.replace(self.prepared, index=Index(table))
        )


@pytest.fixture
def folder(demo: PreparedDemo, tmp_path: Path) -> Folder:
    random = np.random.default_rng(0)
    # The test image stands between those of the training set.
    names = ["a", "b", "c", "t", "d", "e", "f", "g", "h"]
    for name in names:
        image = random.integers(0, 256, (SIDE, SIDE), np.uint8)
        cv2.imwrite(str(tmp_path / f"{name}.png"), image)
        cv2.imwrite(str(tmp_path / f"{name}_mask.png"), lungs())
    table = pd.DataFrame(
        {
            "id": names,
            "path": [f"{name}.png" for name in names],
            "label": ["" if name == "t" else "normal" for name in names],
            "split": ["test" if name == "t" else "train" for name in names],
            "group": names,
            "source": ["one", "two", "one", "", "two", "one", "two", "one", "two"],
            "mask": [f"{name}_mask.png" for name in names],
            "width": str(SIDE), "height": str(SIDE), "phash": "", "mask_source": "",
        }
    )  # fmt: skip
    prepared = dataclasses.replace(
        demo.prepared, index=Index(table), fold=np.array([0, 1, 0, 1, 0, 1, 0, 1]), root=tmp_path
    )
    return Folder(prepared, Workspace(tmp_path / "work", "demo"))


def refused(folder: Folder) -> str:
    with pytest.raises(DataError) as caught:
        folder.load()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_images_and_masks_have_the_pipelines_size_and_stand_in_the_same_rows(
    folder: Folder,
) -> None:
    marked = lungs()
    marked[40:50, 45:55] = 255
    folder.write("c_mask.png", marked)
    data = folder.load()
    assert data.index.ids == ["a", "b", "c", "d", "e", "f", "g", "h"]
    assert data.cache.images.shape == data.masks.shape == (8, 32, 32)
    assert set(np.unique(data.masks)) == {0, 255}
    assert [bool(mask[24, 26]) for mask in data.masks] == [name == "c" for name in data.index.ids]
    assert data.pipeline_text == "gray | resize(32)"


def test_images_without_a_mask_and_test_images_are_left_out_and_folds_are_the_competitions(
    folder: Folder,
) -> None:
    masks = ["a_mask.png", "", "c_mask.png", "t_mask.png", "", "e_mask.png", "f_mask.png", "", ""]
    data = folder.changed(mask=masks).load()
    assert data.index.ids == ["a", "c", "e", "f"]
    assert data.fold.tolist() == [0, 0, 0, 1]


def test_where_a_fold_has_no_masks_new_ones_are_made(folder: Folder) -> None:
    masks = ["a_mask.png", "", "c_mask.png", "", "", "e_mask.png", "", "g_mask.png", ""]
    data = folder.changed(mask=masks, group=["a", "", "a", "", "", "e", "", "e", ""]).load()
    assert data.index.ids == ["a", "c", "e", "g"]
    first, second, third, fourth = data.fold.tolist()
    assert (first, third) == (second, fourth)
    assert {first, third} == {0, 1}


def test_masks_that_segment_wrote_are_not_learned_from(folder: Folder) -> None:
    own = [f"{name}_mask.png" if name in "acefgh" else "" for name in folder.prepared.index.ids]
    bare = folder.changed(mask=own)
    folder.workspace.masks.mkdir(parents=True)
    for name in "bd":
        (folder.workspace.masks / f"{name}.png").touch()
    images = pd.DataFrame({"path": ["b.png", "d.png"], "mask": ["b.png", "d.png"]})
    masks = images.assign(mask_source=[OUT_OF_FOLD, PREDICTED])
    table = bare.prepared.index.table
    write_predicted_masks(folder.workspace, masks, table)
    predicted = with_predicted_masks(table, folder.workspace)
    assert (predicted["mask"] != "").sum() == 8
    found = bare.changed(mask=list(predicted["mask"]), mask_source=list(predicted["mask_source"]))
    assert found.load().index.ids == ["a", "c", "e", "f", "g", "h"]


@pytest.mark.parametrize("left", [0, 1])
def test_too_few_masks_are_missing(folder: Folder, left: int) -> None:
    masks = ["a_mask.png"] * left + [""] * (9 - left)
    with pytest.raises(MissingError, match=f"{left} masks for 9 images.*run prepare again"):
        folder.changed(mask=masks).load()


SOURCES = ["human", "human", "copied", "", "human", "copied", "human", "human", "copied"]


def test_the_source_of_most_masks_is_used_and_said(folder: Folder) -> None:
    reporter = Notes()
    data = folder.changed(mask_source=SOURCES).load(reporter=reporter)
    assert data.index.ids == ["a", "b", "d", "f", "g"]
    assert reporter.told == [
        "Of 8 masks the 5 of 'human' are used, the other 3 not: their convention may differ."
    ]


def test_a_source_can_be_named(folder: Folder) -> None:
    sourced = folder.changed(mask_source=SOURCES)
    assert sourced.load("copied").index.ids == ["c", "e", "h"]
    with pytest.raises(DataError, match=r"Received: 'nobody'. Use one of copied, human"):
        sourced.load("nobody")


def test_one_source_needs_no_words(folder: Folder) -> None:
    reporter = Notes()
    folder.changed(mask_source=["human"] * 9).load(reporter=reporter)
    assert reporter.told == []


@pytest.mark.parametrize("side", [51, 30, 120])
def test_a_mask_of_another_size_is_resized(folder: Folder, side: int) -> None:
    whole = folder.load().masks[1]
    folder.write("b_mask.png", lungs(side))
    resized = folder.load().masks[1]
    both = (resized > 0) & (whole > 0)
    assert both.sum() > 0.8 * ((resized > 0) | (whole > 0)).sum()


@pytest.mark.parametrize(
    ("mask", "what"),
    [
        (np.zeros((SIDE, SIDE), np.uint8), "is empty"),
        (np.full((SIDE, SIDE), 255, np.uint8), "is white all over"),
        (lungs()[:, : SIDE // 2], "has 30 x 60 pixels, its image has 60 x 60"),
        (np.tile(np.linspace(0, 255, SIDE).astype(np.uint8), (SIDE, 1)), "is grey in 50%"),
    ],
)
def test_what_is_no_mask_is_refused_by_its_name(folder: Folder, mask: Pixels, what: str) -> None:
    folder.write("b_mask.png", mask)
    message = refused(folder)
    assert f"Received: 1 of 8, b_mask.png {what}" in message
    assert "run prepare again" in message
    # It is refused as long as it is there.
    assert refused(folder) == message
    folder.write("b_mask.png", lungs())
    folder.load()


def test_all_that_is_wrong_is_said_at_once(folder: Folder) -> None:
    folder.write("b_mask.png", np.zeros((SIDE, SIDE), np.uint8))
    folder.write("g_mask.png", np.full((SIDE, SIDE), 255, np.uint8))
    assert "2 of 8, b_mask.png is empty, g_mask.png is white all over" in refused(folder)


def _as_jpeg(mask: Pixels) -> Pixels:
    data = cv2.imencode(".jpg", cv2.GaussianBlur(mask, (5, 5), 0), [cv2.IMWRITE_JPEG_QUALITY, 60])
    return np.asarray(cv2.imdecode(data[1], cv2.IMREAD_GRAYSCALE))


@pytest.mark.parametrize(
    "mask", [lungs() // 255, _as_jpeg(lungs()), np.stack([lungs() * 0, lungs() * 0, lungs()], -1)]
)
def test_masks_of_ones_of_jpeg_and_of_colour_are_masks(folder: Folder, mask: Pixels) -> None:
    folder.write("b_mask.png", mask)
    data = folder.load()
    assert (data.masks[1] != data.masks[0]).mean() < 0.02


def test_masks_are_read_again_only_where_they_changed(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.load()
    monkeypatch.setattr("kagglecxr.data.masked.read_image", lambda _: pytest.fail("read again"))
    folder.load()


def many(folder: Folder, counts: dict[str, int]) -> MaskedData:
    """Masked data of so many images of each source, without pixels."""
    data = folder.load()
    sources = [name for name, count in counts.items() for _ in range(count)]
    one = data.index.table.iloc[:1]
    table = pd.concat([one] * len(sources), ignore_index=True)
    names = [str(number) for number in range(len(sources))]
    table = table.assign(id=names, group=names, source=sources)
    rows = np.zeros(len(sources), np.intp)
    cache = dataclasses.replace(data.cache, images=data.cache.images[rows])
    return dataclasses.replace(
        data, index=Index(table), cache=cache, masks=data.masks[rows], fold=rows
    )


def test_each_source_is_held_out_by_itself(folder: Folder) -> None:
    left_out = by_source(many(folder, {"x": 20, "small": 3, "y": 30}))
    assert left_out.fold.tolist() == [0] * 20 + [1] * 3 + [1] * 30


def test_a_patient_of_two_sources_is_left_out(folder: Folder) -> None:
    data = many(folder, {"x": 20, "y": 30})
    table = data.index.table.assign(group=["p", *data.index.ids[1:-2], "p", "49"])
    left_out = by_source(dataclasses.replace(data, index=Index(table)))
    assert left_out.index.ids == [*data.index.ids[1:-2], "49"]
    assert left_out.fold.tolist() == [0] * 19 + [1] * 29
    assert len(left_out.masks) == len(left_out.cache.images) == 48


def test_one_source_cannot_be_left_out(folder: Folder) -> None:
    with pytest.raises(DataError, match="'x' with 40, 'y' with 19"):
        by_source(many(folder, {"x": 40, "y": 19}))


def test_the_images_of_one_source_keep_their_folds_and_rows(folder: Folder) -> None:
    data = dataclasses.replace(folder.load(), fold=np.array([0, 1, 0, 3, 0, 1, 2, 3]))
    two = of_sources(data, "two")
    assert two.index.ids == ["b", "d", "f", "h"]
    # The folds that are left are numbered anew.
    assert two.fold.tolist() == [0, 1, 0, 1]
    np.testing.assert_array_equal(two.cache.images, data.cache.images[1::2])
    assert len(two.masks) == 4
    with pytest.raises(DataError, match=r"Received: three\. Use one of one, two"):
        of_sources(data, "three")
