"""A class' threshold is what nine of ten out-of-fold images of other classes stay below."""

from pathlib import Path

import numpy as np

from kagglecxr.inference.predictions import Predictions
from kagglecxr.webapp.decision_thresholds import decision_thresholds


def write(folder: Path, truth: list[int], of_first: list[float]) -> Path:
    first = np.array(of_first, np.float32)
    outputs = np.stack([first, 1 - first], axis=1)
    ids = np.array([f"image-{n}" for n in range(len(truth))])
    Predictions(ids, outputs, np.array(truth)).save(folder / "oof.npz")
    return folder


def test_nine_of_ten_others_are_below(tmp_path: Path) -> None:
    others = [0.05 * n for n in range(10)]
    folder = write(tmp_path, [0] * 3 + [1] * 10, [0.44, 0.9, 0.95, *others])
    found = decision_thresholds(folder, 2)
    assert found is not None
    # Of the ten, 0.45 alone is above 0.44.
    assert np.isclose(found[0], 0.44)
    # Of the second class none of the three first may be above; the least sure has 0.55.
    assert np.isclose(found[1], 0.6)


def test_a_class_without_images_has_none(tmp_path: Path) -> None:
    found = decision_thresholds(write(tmp_path, [0, 0], [0.5, 0.6]), 2)
    assert found is not None
    assert np.isnan(found).all()


def test_without_out_of_fold_predictions_there_are_none(tmp_path: Path) -> None:
    assert decision_thresholds(tmp_path, 2) is None
