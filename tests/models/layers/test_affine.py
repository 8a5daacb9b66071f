"""A view inside a model has the gray levels of its NumPy form, in files of every format too."""

import importlib.util
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kagglecxr.inference.export.file_formats import FORMATS
from kagglecxr.models.layers.affine import UNIT, AffineView, AffineWindow
from kagglecxr.models.layers.outputs import LabeledOutput

SHIFTS = st.floats(-0.2, 0.2)
SIDES = st.integers(1, 20)


def noise(height: int, width: int, channels: int) -> npt.NDArray[np.uint8]:
    shape = (2, height, width, channels)
    return np.random.default_rng(height * width).integers(0, 256, shape, dtype=np.uint8)


@settings(deadline=None, max_examples=30)
@given(
    SIDES, SIDES, st.sampled_from([1, 3]), st.floats(0.3, 1.5), st.floats(-45, 45),
    st.tuples(SHIFTS, SHIFTS), st.booleans(),
)  # fmt: skip
def test_any_window_has_the_same_gray_levels_in_a_model(
    height: int, width: int, channels: int, share: float, degrees: float,
    shift: tuple[float, float], flip: bool,
) -> None:  # fmt: skip
    images = noise(height, width, channels)
    layer = AffineView(share, degrees, shift, flip)
    expected = AffineWindow(share, degrees, shift, flip).sample(images)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer(images)), expected)
    index, weights = AffineWindow(share, degrees, shift, flip).taps(height, width)
    assert (weights.sum(axis=0) == UNIT).all()
    assert (weights >= 0).all()
    assert index.min() >= 0
    assert index.max() < height * width


def test_a_window_of_the_whole_image_changes_nothing() -> None:
    images = noise(7, 10, 3)
    np.testing.assert_array_equal(AffineWindow().sample(images), images)
    np.testing.assert_array_equal(AffineWindow(flip=True).sample(images), images[:, :, ::-1])
    np.testing.assert_array_equal(AffineWindow(degrees=180).sample(images), images[:, ::-1, ::-1])


@pytest.mark.parametrize("name", FORMATS.names())
def test_files_of_every_format_keep_the_view(name: str, tmp_path: Path) -> None:
    kind = FORMATS[name]
    for package in (kind.writes, kind.reads):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    inputs = keras.Input((12, 15, None), name="image")
    seen = AffineView(0.9, 5.0, (0.05, -0.05), True)(inputs)
    assert seen.shape == (None, 12, 15, None)
    path = tmp_path / f"model{kind.suffix}"
    kind.save(keras.Model(inputs, LabeledOutput(["a"], name="probabilities")(seen)), path)
    images = noise(12, 15, 1)
    expected = AffineWindow(0.9, 5.0, (0.05, -0.05), True).sample(images)
    np.testing.assert_array_equal(kind.load(path).predict(images.astype(np.float32)), expected)
