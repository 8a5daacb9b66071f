"""Predictions are kept whole, read by id, and averaged over folds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kagglecxr.core.errors import DataError
from kagglecxr.inference.predictions import Predictions, average


@pytest.fixture
def predictions() -> Predictions:
    shares = np.array([[0.2, 0.8], [0.9, 0.1], [0.5, 0.5]], np.float32)
    return Predictions(np.array(["a", "b", "c"]), shares, np.array([1, 0, -1]))


def test_what_is_saved_is_read_again(predictions: Predictions, tmp_path: Path) -> None:
    path = tmp_path / "new" / "oof.npz"
    predictions.save(path)
    again = Predictions.load(path)
    assert again.ids.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(again.probabilities, predictions.probabilities)
    np.testing.assert_array_equal(again.truth, predictions.truth)


def test_single_views_are_kept_beside_their_mean(predictions: Predictions, tmp_path: Path) -> None:
    flipped = predictions.probabilities[:, ::-1]
    views = {"identity": predictions.probabilities, "hflip": flipped}
    replace(predictions, by_view=views).save(tmp_path / "oof.npz")
    again = Predictions.load(tmp_path / "oof.npz")
    assert list(again.by_view) == ["identity", "hflip"]
    np.testing.assert_allclose(again.from_view("hflip").of(["b"]), [[0.1, 0.9]], rtol=1e-6)
    assert not again.from_view("hflip").by_view


def test_rows_are_found_by_id_in_the_order_given(predictions: Predictions) -> None:
    np.testing.assert_allclose(predictions.of(["c", "a"])[:, 1], [0.5, 0.8])


def test_an_image_without_prediction_is_named(predictions: Predictions) -> None:
    with pytest.raises(DataError, match="zebra"):
        predictions.of(["a", "zebra"])


@pytest.mark.parametrize("damage", ["no zip", "half a file", "no file"])
def test_a_damaged_file_is_named(predictions: Predictions, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "oof.npz"
    if damage != "no file":
        predictions.save(path)
        whole = path.read_bytes()
        path.write_bytes(b"PK no zip" if damage == "no zip" else whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"oof\.npz"):
        Predictions.load(path)


def test_the_mean_is_taken_in_double_precision() -> None:
    parts = [np.full((1, 1), value, np.float32) for value in (1.0, 1e-8, 1e-8)]
    assert average(parts).dtype == np.float32
    assert average(parts)[0, 0] == pytest.approx((1.0 + 2e-8) / 3, rel=1e-7)
