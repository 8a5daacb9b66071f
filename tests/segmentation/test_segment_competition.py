"""All images of a competition get masks: out of fold where they were learned from."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from kagglecxr.core.files import read_table
from kagglecxr.core.progress import Silent
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.data.index import COLUMNS, read_index
from kagglecxr.data.masked import load_masked
from kagglecxr.data.predicted_masks import index_digest, with_predicted_masks
from kagglecxr.segmentation.segment_competition import SegmentedCompetition, segment_competition
from tests.conftest import PreparedDemo
from tests.segmentation.conftest import SIZE, WITH_MASKS, MaskedFolder, make_folder
from tests.segmentation.mask_runs import mask_run, predict_without_models

FIRST, SECOND = ["a", "c", "007"], ["b", "NA", "f"]
"""The masked images of either fold."""
OTHERS = ["g", "h", "t1", "t2"]


@pytest.fixture(scope="module", autouse=True)
def _without_models() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        predict_without_models(patch)
        yield


def make_run(folder: MaskedFolder) -> Path:
    """Fold 0 sees lungs everywhere and fold 1 nowhere."""
    return mask_run(folder.data, folder.workspace, "run", [0.9, 0.3])


@pytest.fixture
def run(folder: MaskedFolder) -> Path:
    return make_run(folder)


@dataclasses.dataclass(frozen=True)
class Segmented:
    """A folder whose images were segmented, and its index as it was before."""

    folder: MaskedFolder
    result: SegmentedCompetition
    before: pd.DataFrame
    digest: str


@pytest.fixture(scope="module")
def segmented(demo: PreparedDemo, tmp_path_factory: pytest.TempPathFactory) -> Segmented:
    """Only to be read."""
    folder = make_folder(demo, tmp_path_factory.mktemp("segmented"))
    index = folder.workspace.index
    before, digest = read_index(index).table, index_digest(folder.workspace)
    assert index.read_text().splitlines()[0] == ",".join(COLUMNS)
    return Segmented(folder, segment(folder, make_run(folder)), before, digest)


def segment(folder: MaskedFolder, run: Path, *, replace: bool = False) -> SegmentedCompetition:
    return segment_competition(
        folder.prepared, folder.workspace, run, Silent(), replace_given=replace
    )


def written(folder: MaskedFolder, name: str) -> np.ndarray:
    return cv2.imread(str(folder.workspace.masks / f"{name}.png"), cv2.IMREAD_UNCHANGED)


def sources(folder: MaskedFolder) -> dict[str, str]:
    table = read_index(folder.workspace.index).table
    return dict(zip(table["id"], table["mask_source"], strict=True))


def test_images_are_predicted_by_the_fold_that_held_them_out(segmented: Segmented) -> None:
    folder = segmented.folder
    assert dict(zip(folder.data.index.ids, folder.data.fold, strict=True)) == {
        **dict.fromkeys(FIRST, 0), **dict.fromkeys(SECOND, 1),
    }  # fmt: skip
    assert all((written(folder, name) == 255).all() for name in FIRST)
    assert all((written(folder, name) == 0).all() for name in SECOND)
    # By the first fold, also those whose fold of the competition is the second.
    assert all((written(folder, name) == 255).all() for name in OTHERS)


def test_a_mask_has_its_images_size(segmented: Segmented) -> None:
    folder = segmented.folder
    table = folder.prepared.index.table
    for name, height, width in zip(table["id"], table["height"], table["width"], strict=True):
        assert written(folder, name).shape == (int(height), int(width))


def test_images_keep_their_own_masks(segmented: Segmented) -> None:
    folder, result = segmented.folder, segmented.result
    assert result.kept == len(WITH_MASKS)
    words = "Predicted 10 masks, 10 of them suspicious, 6 images keep their own: "
    assert result.describe().startswith(words)
    table = read_index(folder.workspace.index).table.set_index("id")
    assert table.loc[WITH_MASKS, "mask"].tolist() == [f"{name}_mask.png" for name in WITH_MASKS]
    assert table.loc[OTHERS, "mask"].tolist() == [
        str((folder.workspace.masks / f"{name}.png").resolve()) for name in OTHERS
    ]
    assert sources(folder) == {
        **dict.fromkeys(WITH_MASKS, ""), **dict.fromkeys(OTHERS, "predicted"),
    }  # fmt: skip


def test_own_masks_are_replaced_on_request(folder: MaskedFolder, run: Path) -> None:
    digest = index_digest(folder.workspace)
    result = segment(folder, run, replace=True)
    assert index_digest(folder.workspace) == digest
    assert result.kept == 0
    assert "keep their own" not in result.describe()
    assert sources(folder) == {
        **dict.fromkeys(WITH_MASKS, "out of fold"), **dict.fromkeys(OTHERS, "predicted"),
    }  # fmt: skip
    table = read_index(folder.workspace.index).table
    assert all(Path(mask).parent.name == "masks" for mask in table["mask"])


def test_a_net_learns_from_own_masks_though_they_were_replaced(
    folder: MaskedFolder, run: Path
) -> None:
    segment(folder, run, replace=True)
    index = read_index(folder.workspace.index)
    prepared = dataclasses.replace(folder.prepared, index=index)
    pipeline = Pipeline.parse("gray | resize", SIZE)
    again = load_masked(prepared, folder.workspace, pipeline, Silent())
    assert again.index.ids == folder.data.index.ids
    np.testing.assert_array_equal(again.masks, folder.data.masks)
    segment(dataclasses.replace(folder, prepared=prepared), run)
    kept = read_index(folder.workspace.index).table
    assert kept["mask"].tolist() == [
        *(f"{name}_mask.png" for name in WITH_MASKS),
        *(str((folder.workspace.masks / f"{name}.png").resolve()) for name in OTHERS),
    ]


def test_a_run_of_another_workspace_held_none_of_these_images_out(
    folder: MaskedFolder, tmp_path: Path
) -> None:
    elsewhere = Workspace(tmp_path / "elsewhere", "demo")
    segment(folder, mask_run(folder.data, elsewhere, "run", [0.9, 0.3]), replace=True)
    assert all((written(folder, name) == 255).all() for name in [*FIRST, *SECOND, *OTHERS])
    assert set(sources(folder).values()) == {"predicted"}


def test_the_index_is_otherwise_as_it_was(segmented: Segmented) -> None:
    index = segmented.folder.workspace.index
    after, left = read_index(index).table, ["mask", "mask_source"]
    assert after.drop(columns=left).equals(segmented.before.drop(columns=left))
    assert index_digest(segmented.folder.workspace) == segmented.digest


def test_flags_say_what_is_suspicious_in_the_order_of_the_index(segmented: Segmented) -> None:
    folder, result = segmented.folder, segmented.result
    flags = read_table(result.folder / "flags.csv")
    assert flags["path"].tolist() == folder.prepared.index.table["path"].tolist()
    assert flags["mask"].tolist() == [f"{name}.png" for name in folder.prepared.index.ids]
    assert list(flags.columns) == [
        "path", "mask", "area", "parts", "symmetry", "certainty", "agreement", "suspicious",
    ]  # fmt: skip
    by_name = flags.set_index("mask")["suspicious"]
    assert all("small" in by_name[f"{name}.png"] for name in SECOND)
    assert all("large" in by_name[f"{name}.png"] for name in FIRST)
    assert all("large" in by_name[f"{name}.png"] for name in OTHERS)


def test_masks_predicted_before_are_predicted_again(folder: MaskedFolder, run: Path) -> None:
    segment(folder, run)
    index = read_index(folder.workspace.index)
    prepared = dataclasses.replace(folder.prepared, index=index)
    again = dataclasses.replace(folder, prepared=prepared)
    other = mask_run(folder.data, folder.workspace, "other", [0.1, 0.1])
    assert segment(again, other).kept == len(WITH_MASKS)
    assert all((written(folder, name) == 0).all() for name in OTHERS)
    assert read_index(folder.workspace.index).table.equals(index.table)


def test_prepare_finds_predicted_masks_again(folder: MaskedFolder, run: Path) -> None:
    table = folder.prepared.index.table
    pd.testing.assert_frame_equal(with_predicted_masks(table, folder.workspace), table)
    segment(folder, run)
    found = with_predicted_masks(table.iloc[::-1], folder.workspace)
    assert found.iloc[::-1].equals(read_index(folder.workspace.index).table)
    (folder.workspace.masks / "g.png").unlink()
    found = with_predicted_masks(table, folder.workspace).set_index("id")
    assert found.loc["g", "mask"] == found.loc["g", "mask_source"] == ""
    assert found.loc["h", "mask_source"] == "predicted"
