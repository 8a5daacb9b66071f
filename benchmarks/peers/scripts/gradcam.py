"""Grad-CAM of 64 images by one library: FILES WAY; the last line is JSON."""

import json
import sys
import time
from collections.abc import Callable

import numpy as np

SIZE, IMAGES, CLASSES, TURNS = 192, 64, 4, 3
LAYER = "conv_pw_13_relu"


def plain_model(activation: str | None) -> object:
    """MobileNet as Keras builds it, with a head."""
    import keras

    base = keras.applications.MobileNet(
        weights=None, include_top=False, input_shape=(SIZE, SIZE, 3), pooling="avg"
    )
    scores = keras.layers.Dense(CLASSES, activation=activation)(base.output)
    return keras.Model(base.input, scores)


def ours(images: np.ndarray, targets: np.ndarray) -> Callable[[], object]:
    """The package's, which takes the network of its zoo."""
    from kagglecxr.models.zoo import create_model
    from kagglecxr.saliency.explained_model import ExplainedModel
    from kagglecxr.saliency.gradcam import gradcam

    grey = images[..., :1]
    model = create_model("mobilenet", num_classes=CLASSES, input_shape=grey.shape[1:])
    explained = ExplainedModel(model)
    return lambda: gradcam(explained, grey, targets)


def tf_keras_vis(images: np.ndarray, targets: np.ndarray) -> Callable[[], object]:
    """tf-keras-vis' Gradcam."""
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.utils.scores import CategoricalScore

    cam = Gradcam(plain_model(None), clone=False)
    score = CategoricalScore(targets.tolist())
    return lambda: cam(score, images, penultimate_layer=LAYER)


def xplique(images: np.ndarray, targets: np.ndarray) -> Callable[[], object]:
    """Xplique's GradCAM."""
    from xplique.attributions import GradCAM

    cam = GradCAM(plain_model(None), conv_layer=LAYER, batch_size=32)
    return lambda: cam(images, np.eye(CLASSES, dtype=np.float32)[targets])


def main() -> None:
    """Prints the seconds, and those of the first call."""
    way = sys.argv[-1]
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (IMAGES, SIZE, SIZE, 3)).astype(np.float32)
    explain = globals()[way](images, np.arange(IMAGES) % CLASSES)
    times = []
    for _ in range(TURNS + 1):
        began = time.perf_counter()
        explain()
        times.append(time.perf_counter() - began)
    print(json.dumps({"seconds": float(np.median(times[1:])), "seconds, first call": times[0]}))


if __name__ == "__main__":
    main()
