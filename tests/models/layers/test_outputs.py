"""The ends of a whole model: views of an image, probabilities with their names."""

from pathlib import Path

import keras
import numpy as np

from kagglecxr.models.layers.outputs import HorizontalFlip, LabeledOutput


def test_left_and_right_are_exchanged() -> None:
    images = np.arange(24, dtype=np.float32).reshape(2, 2, 3, 2)
    mirrored = keras.ops.convert_to_numpy(HorizontalFlip()(images))
    np.testing.assert_array_equal(mirrored, images[:, :, ::-1])


def test_probabilities_pass_and_their_names_are_kept(tmp_path: Path) -> None:
    inputs = keras.Input((2,))
    outputs = LabeledOutput(["sick", "well"], "two runs", name="probabilities")(inputs)
    keras.Model(inputs, outputs).save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    probabilities = np.array([[0.25, 0.75]], np.float32)
    np.testing.assert_array_equal(again.predict(probabilities, verbose=0), probabilities)
    last = again.get_layer("probabilities")
    assert (last.classes, last.origin) == (["sick", "well"], "two runs")
