"""Pictures and tables of masks: what is outlined, and which masks are shown."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from kagglecxr.core.files import read_table
from kagglecxr.reports.mask_report import (
    PREDICTED,
    SHEET_SHOWN,
    SIDE,
    Outlined,
    draw_suspicious,
    mask_grid,
    report_masks,
)
from kagglecxr.reports.run_report import CURVES
from kagglecxr.segmentation.mask_files import MaskFolder
from tests.conftest import PreparedDemo
from tests.segmentation.conftest import MaskedFolder, make_folder
from tests.segmentation.mask_runs import mask_run


@pytest.fixture(scope="module")
def folder(demo: PreparedDemo, tmp_path_factory: pytest.TempPathFactory) -> MaskedFolder:
    return make_folder(demo, tmp_path_factory.mktemp("report"))


def test_a_runs_report_has_curves_scores_and_the_worst_masks(folder: MaskedFolder) -> None:
    worse = np.array(folder.data.masks)
    worse[3] = 0
    run = mask_run(folder.data, folder.workspace, "run", [0.5, 0.5], worse)
    evaluation = report_masks(run, folder.data)
    scores = read_table(run / "mask_scores.csv")
    assert scores["id"].tolist() == evaluation.images["id"].tolist()
    assert scores["id"][0] == folder.data.index.ids[3]
    assert scores["iou"].tolist() == ["0.0", *["1.0"] * 5]
    assert read_table(run / "mask_summary.csv")["name"].tolist() == ["", "one", "two", "normal"]
    for picture in (CURVES, "worst_masks.png"):
        assert cv2.imread(str(run / picture)).std() > 1


@pytest.mark.parametrize("shape", [(40, 60), (40, 60, 3)])
def test_an_outline_lies_on_the_masks_border(shape: tuple[int, ...]) -> None:
    mask = np.zeros((20, 20), np.uint8)
    mask[5:15, 5:15] = 1
    figure = mask_grid([Outlined(np.full(shape, 90, np.uint8), [(mask, PREDICTED)], "one")], "all")
    shown = np.asarray(figure.axes[0].images[0].get_array())
    assert shown.shape == (SIDE, SIDE, 3)
    drawn = np.all(shown == PREDICTED, axis=-1)
    rows, columns = np.nonzero(drawn)
    for places in (rows, columns):
        assert abs(places.min() - SIDE / 4) < 5
        assert abs(places.max() - 3 * SIDE / 4) < 5
    assert not drawn[SIDE // 2, SIDE // 2]
    assert (shown[~drawn] == 90).all()
    assert figure.axes[0].get_title() == "one"
    assert not any(axes.axison for axes in figure.axes)


def flags(folder: MaskedFolder, words: list[str]) -> pd.DataFrame:
    names = folder.prepared.index.ids[: len(words)]
    return pd.DataFrame(
        {
            "path": [f"{name}.png" for name in names],
            "mask": [f"{name}_mask.png" for name in names],
            "suspicious": words,
        }
    )


def test_suspicious_masks_are_drawn_into_their_folder(folder: MaskedFolder) -> None:
    masks = MaskFolder(folder.prepared.root)
    root = folder.prepared.root
    assert draw_suspicious(flags(folder, [""] * 3), masks, root) is None
    assert not (root / "suspicious.png").exists()
    sheet = draw_suspicious(flags(folder, ["", "small", "", "uncertain, large"]), masks, root)
    assert sheet == root / "suspicious.png"
    assert cv2.imread(str(sheet)).std() > 1


def test_only_the_first_are_drawn(folder: MaskedFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[list[str]] = []
    titles: list[str] = []
    root = folder.prepared.root

    def listen(outlined: list[Outlined], title: str) -> object:
        shown.append([one.title for one in outlined])
        titles.append(title)
        return mask_grid(outlined[:1], title)

    monkeypatch.setattr("kagglecxr.reports.mask_report.mask_grid", listen)
    many = pd.concat([flags(folder, ["", "small"])] * 30, ignore_index=True)
    draw_suspicious(many, MaskFolder(root), Path(root))
    unusual = flags(folder, ["no chest X-ray?", ""]).assign(unusual=[1, 0])
    last = pd.concat([many.assign(unusual=0), unusual], ignore_index=True)
    draw_suspicious(last, MaskFolder(root), Path(root))
    small = ["b.png\nsmall"] * SHEET_SHOWN
    assert titles[0] == "24 of 30 suspicious masks: green the predicted outline"
    assert shown == [small, ["a.png\nno chest X-ray?", *small[1:]]]
