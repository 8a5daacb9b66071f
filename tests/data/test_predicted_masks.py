"""Masks that were predicted are given to a table of images again, as long as they are there."""

from pathlib import Path

import pandas as pd
import pytest

from kagglecxr.core.workspace import Workspace
from kagglecxr.data.predicted_masks import (
    describe_mask_sources,
    with_predicted_masks,
    without_predicted_masks,
    write_predicted_masks,
)

IMAGES = pd.DataFrame(
    {"path": ["a.png", "b.png", "c.png"], "mask": ["own.png", "", ""], "mask_source": ""}
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path, "demo")
    workspace.masks.mkdir()
    for name in ("b", "c"):
        (workspace.masks / f"{name}.png").touch()
    table = pd.DataFrame(
        {
            "path": ["b.png", "c.png"],
            "mask": ["b.png", "c.png"],
            "mask_source": ["predicted", "out of fold"],
        }
    )
    write_predicted_masks(workspace, table.assign(area=0.2), IMAGES)
    return workspace


def test_images_get_the_masks_that_were_predicted_for_them(workspace: Workspace) -> None:
    table = with_predicted_masks(IMAGES, workspace)
    root = workspace.masks.resolve()
    assert table["mask"].tolist() == ["own.png", str(root / "b.png"), str(root / "c.png")]
    assert table["mask_source"].tolist() == ["", "predicted", "out of fold"]
    assert IMAGES["mask"].tolist() == ["own.png", "", ""]


def test_a_mask_that_is_gone_is_not_given(workspace: Workspace) -> None:
    (workspace.masks / "b.png").unlink()
    table = with_predicted_masks(IMAGES, workspace)
    assert table["mask"].iloc[1] == table["mask_source"].iloc[1] == ""


def test_where_nothing_was_predicted_nothing_changes(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "demo")
    for change in (with_predicted_masks, without_predicted_masks):
        pd.testing.assert_frame_equal(change(IMAGES, workspace), IMAGES)


def test_given_masks_are_found_again_behind_those_that_replaced_them(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "demo")
    workspace.masks.mkdir()
    (workspace.masks / "a.png").touch()
    given = IMAGES.assign(mask_source=["human", "", ""])
    masks = pd.DataFrame({"path": ["a.png"], "mask": ["a.png"], "mask_source": ["out of fold"]})
    write_predicted_masks(workspace, masks, given)
    replaced = with_predicted_masks(given, workspace)
    assert replaced["mask_source"].tolist() == ["out of fold", "", ""]
    pd.testing.assert_frame_equal(without_predicted_masks(replaced, workspace), given)


def test_predictions_are_never_given_masks_though_their_table_is_gone(workspace: Workspace) -> None:
    predicted = with_predicted_masks(IMAGES, workspace)
    (workspace.masks / "masks.csv").unlink()
    assert without_predicted_masks(predicted, workspace).equals(IMAGES)


@pytest.mark.parametrize(
    ("sources", "told"),
    [
        (["", "", ""], ""),
        (["predicted", "out of fold", "predicted"], ""),
        (["", "predicted", "out of fold"], "2 predicted, 1 the data's own"),
        (["v7", "v7", "lungVAE"], "2 v7, 1 lungVAE"),
    ],
)
def test_masks_of_several_origins_are_told(sources: list[str], told: str) -> None:
    images = pd.DataFrame({"mask": ["a", "b", "c"], "mask_source": sources})
    # An image without a mask is of no origin.
    images.loc[3] = ["", ""]
    sentence = describe_mask_sources(images, "segment demo --replace")
    assert told in sentence
    assert bool(sentence) == bool(told)
    assert ("segment demo --replace" in sentence) == bool(told)
