"""A folder of ten small images, six of them with masks, and what a run of masks leaves of them."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from kagglecxr.core.progress import Silent
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.data.index import Index, write_index
from kagglecxr.data.masked import MaskedData, load_masked
from kagglecxr.data.prepared import PreparedData
from tests.conftest import PreparedDemo

SIZE = 32
WITH_MASKS = ["a", "b", "c", "NA", "007", "f"]


@dataclasses.dataclass(frozen=True)
class MaskedFolder:
    """The prepared images, their workspace, and those with masks as a net learns from them."""

    prepared: PreparedData
    workspace: Workspace
    data: MaskedData


def make_folder(demo: PreparedDemo, root: Path) -> MaskedFolder:
    """Writes images and masks to `root`; images of even rows are square, the others are not."""
    random = np.random.default_rng(0)
    names = [*WITH_MASKS, "g", "h", "t1", "t2"]
    sizes = [(60, 60) if row % 2 == 0 else (40, 64) for row in range(len(names))]
    for name, (height, width) in zip(names, sizes, strict=True):
        mask = np.zeros((height, width), np.uint8)
        mask[10:30, 10:25] = mask[10:30, 35:50] = 255
        noise = random.integers(0, 60, mask.shape, np.uint8)
        cv2.imwrite(str(root / f"{name}.png"), mask // 255 * 180 + noise)
        cv2.imwrite(str(root / f"{name}_mask.png"), mask)
    table = pd.DataFrame(
        {
            "id": names,
            "path": [f"{name}.png" for name in names],
            "label": ["" if name in ("t1", "t2") else "normal" for name in names],
            "split": ["test" if name in ("t1", "t2") else "train" for name in names],
            "group": names,
            "source": ["one", "two"] * 5,
            "mask": [f"{name}_mask.png" if name in WITH_MASKS else "" for name in names],
            "width": [str(width) for _, width in sizes],
            "height": [str(height) for height, _ in sizes],
            "phash": "",
            "mask_source": "",
        }
    )
    prepared = dataclasses.replace(
        demo.prepared, index=Index(table), fold=np.array([0, 1] * 4), root=root
    )
    workspace = Workspace(root / "work", "demo")
    write_index(workspace.index, prepared.index)
    pipeline = Pipeline.parse("gray | resize", SIZE)
    return MaskedFolder(prepared, workspace, load_masked(prepared, workspace, pipeline, Silent()))


@pytest.fixture
def folder(demo: PreparedDemo, tmp_path: Path) -> MaskedFolder:
    """Only this test's."""
    return make_folder(demo, tmp_path)
