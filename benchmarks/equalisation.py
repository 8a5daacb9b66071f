"""How fast the equalising layer is, against a bare loop of cv2.equalizeHist.

Run: python -m benchmarks.equalisation
"""

from collections.abc import Callable

import cv2
import keras
import numpy as np

from benchmarks.timing import in_turn
from kagglecxr.data.phantoms import draw_phantom
from kagglecxr.models.layers import HistogramEqualization

SIZE, BATCH, TURNS = 256, 32, 50


def predictor(layer: keras.layers.Layer, *, compiled: bool) -> Callable[[np.ndarray], object]:
    """A model of this layer alone; not compiled is Keras' own choice where there is but a CPU."""
    inputs = keras.Input((SIZE, SIZE, 1), dtype="uint8")
    model = keras.Model(inputs, layer(inputs))
    model.jit_compile = compiled
    predict: Callable[[np.ndarray], object] = model.predict_on_batch
    return predict


def main() -> None:
    """Prints milliseconds a batch and the ratio of each way to run the layer."""
    images = np.stack([draw_phantom("Normal", k, 0, 0, size=SIZE).image for k in range(BATCH)])
    batch = images[..., None]
    layer = HistogramEqualization()
    print(f"{keras.backend.backend()}, {BATCH} images of {SIZE} px, OpenCV on uint8 in one thread")
    for title, ours in (
        ("predict_on_batch, compiled", predictor(layer, compiled=True)),
        ("predict_on_batch, not compiled", predictor(layer, compiled=False)),
        ("the bare layer", layer),
        # What is left of a ratio when a layer does next to nothing.
        ("a Rescaling, compiled", predictor(keras.layers.Rescaling(2.0), compiled=True)),
        ("a Rescaling, not compiled", predictor(keras.layers.Rescaling(2.0), compiled=False)),
    ):
        pair = in_turn(
            lambda ours=ours: ours(batch),
            lambda: [cv2.equalizeHist(image) for image in images],
            TURNS,
        )
        print(
            f"{title}: {1e3 * pair.ours:.2f} ms, OpenCV {1e3 * pair.other:.2f} ms, "
            f"ratio {pair.ratio:.2f} (wanted of the layer: 0.50)"
        )


if __name__ == "__main__":
    main()
