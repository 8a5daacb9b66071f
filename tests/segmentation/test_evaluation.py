"""Scores of out-of-fold masks: an image at a time, and their means by source and class."""

import numpy as np
import pytest

from kagglecxr.segmentation.evaluation import MaskEvaluation, evaluate_masks
from kagglecxr.training.held_out_masks import HeldOutMasks
from tests.segmentation.conftest import WITH_MASKS, MaskedFolder


@pytest.fixture
def evaluated(folder: MaskedFolder) -> MaskEvaluation:
    """All masks are right but that of "NA", moved by a pixel, and that of "f", which is empty."""
    data = folder.data
    rows = [data.index.ids.index(name) for name in reversed(WITH_MASKS)]
    truth = np.array(data.masks[rows])
    predicted = truth.copy()
    predicted[0] = 0
    predicted[2] = np.roll(truth[2], 1, axis=1)
    held_out = HeldOutMasks(np.array(WITH_MASKS[::-1]), truth, {"identity": predicted})
    return evaluate_masks(held_out, data)


def test_images_are_sorted_the_worst_first_with_what_is_known_of_them(
    evaluated: MaskEvaluation, folder: MaskedFolder
) -> None:
    table = evaluated.images
    assert table["id"].tolist()[:2] == ["f", "NA"]
    assert sorted(table["id"]) == sorted(WITH_MASKS)
    known = table.set_index("id")
    of_id = dict(zip(folder.data.index.ids, folder.data.fold, strict=True))
    assert known["fold"].to_dict() == of_id
    assert known.loc["a", "source"] == "one"
    assert known.loc["f", "source"] == "two"
    assert set(known["label"]) == {"normal"}


def test_each_image_has_its_scores(evaluated: MaskEvaluation) -> None:
    known = evaluated.images.set_index("id")
    empty = known.loc["f", ["iou", "dice", "recall", "hausdorff95", "surface"]].tolist()
    assert empty == [0, 0, 0, pytest.approx(32 * 2**0.5), pytest.approx(32 * 2**0.5)]
    assert 0.7 < known.loc["NA", "iou"] < 1
    assert known.loc["NA", "hausdorff95"] == 1
    right = known.loc[["a", "b", "c", "007"]]
    assert (right[["iou", "dice", "accuracy", "precision", "recall"]] == 1).all(axis=None)
    assert (right[["hausdorff95", "surface"]] == 0).all(axis=None)


def test_means_are_of_all_of_each_source_and_of_each_class(evaluated: MaskEvaluation) -> None:
    table, iou = evaluated.summary(), evaluated.images.set_index("id")["iou"]
    assert table[["of", "name", "images"]].to_numpy().tolist() == [
        ["all", "", 6], ["source", "one", 3], ["source", "two", 3], ["label", "normal", 6],
    ]  # fmt: skip
    two = table.set_index("name").loc["two"]
    assert two["iou"] == pytest.approx((iou["b"] + iou["NA"] + iou["f"]) / 3)
    assert two["iou_deviation"] == pytest.approx(np.std([iou["b"], iou["NA"], iou["f"]]))
    assert two["iou_worst_20th"] == pytest.approx(0.1 * iou["NA"])
    assert table.set_index("name").loc["one", "iou"] == 1


def test_it_is_said_in_a_sentence_and_by_source(evaluated: MaskEvaluation) -> None:
    mean = evaluated.images["iou"].mean()
    assert evaluated.describe().startswith(f"Out of fold, 6 images: IoU {mean:.4f}, Dice 0.8")
    table = evaluated.by_source()
    assert list(table.columns) == ["name", "images", "iou", "dice", "hausdorff95"]
    assert table.iloc[0].tolist() == ["one", 3, 1.0, 1.0, 0.0]
    assert len(table) == 2
