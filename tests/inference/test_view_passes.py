"""One model predicts the mean of several views of each image."""

import keras
import numpy as np
import pytest

from kagglecxr.core.errors import UnknownNameError
from kagglecxr.inference import view_passes
from kagglecxr.inference.view_passes import predict_views


def _left_half_model(units: int) -> keras.Model:
    """Predicts the mean brightness of the left half, so that a flip changes it."""
    inputs = keras.Input((4, 4, 1))
    left = keras.layers.Cropping2D(((0, 0), (0, 2)))(inputs)
    share = keras.layers.Rescaling(1 / 255)(keras.layers.GlobalAveragePooling2D()(left))
    if units == 1:
        return keras.Model(inputs, share)
    rest = keras.layers.Rescaling(-1.0, offset=1.0)(share)
    return keras.Model(inputs, keras.layers.Concatenate()([rest, share]))


@pytest.mark.parametrize("units", [1, 2])
def test_views_are_averaged_and_one_unit_becomes_two_columns(
    units: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_passes, "BATCH_SIZE", 2)
    images = np.zeros((5, 4, 4), np.uint8)
    images[3, :, :2] = 255
    rows = np.array([3, 0, 3])
    both = predict_views(_left_half_model(units), images, rows)
    np.testing.assert_allclose(both, [[0.5, 0.5], [1.0, 0.0], [0.5, 0.5]], atol=1e-6)
    alone = predict_views(_left_half_model(units), images, rows, views=["identity"])
    np.testing.assert_allclose(alone[:, 1], [1.0, 0.0, 1.0], atol=1e-6)


def test_an_unknown_view_is_named() -> None:
    images = np.zeros((1, 4, 4), np.uint8)
    with pytest.raises(UnknownNameError, match="sideways"):
        predict_views(_left_half_model(1), images, np.array([0]), views=["sideways"])
