"""Networks small enough that what their maps must be can be said beforehand."""

import keras
import numpy as np
from keras import layers

from kagglecxr.saliency.explained_model import ExplainedModel, target_score

SIZE = 32
PATCH = (slice(8, 14), slice(18, 24))


def finish(image: keras.KerasTensor, features: keras.KerasTensor, classes: int) -> ExplainedModel:
    """A mean over the image, logits and probabilities on top of features."""
    pooled = layers.GlobalAveragePooling2D(name="pool")(features)
    scores = layers.Dense(classes, name="logits")(pooled)
    last = layers.Activation("softmax" if classes > 1 else "sigmoid", name="probabilities")(scores)
    return ExplainedModel(keras.Model(image, last, name="small"))


def random_net(classes: int = 3, channels: int = 1, relu: str = "relu") -> ExplainedModel:
    """Two convolutions with biases, and a pooling between them."""
    keras.utils.set_random_seed(3)
    image = keras.Input((SIZE, SIZE, channels), name="image")
    x = layers.Rescaling(1 / 255)(image)
    x = layers.Conv2D(4, 3, padding="same", activation=relu, name="conv1")(x)
    x = layers.MaxPooling2D(2, name="pool1")(x)
    x = layers.Conv2D(6, 3, padding="same", name="conv2")(x)
    explained = finish(image, layers.Activation(relu, name="relu2")(x), classes)
    for layer in explained.model.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, np.linspace(-0.1, 0.1, len(bias))])
    return explained


def bright_patch_finder() -> ExplainedModel:
    """Its second class is how much of the image is brighter than 150."""
    image = keras.Input((SIZE, SIZE, 1), name="image")
    x = layers.Conv2D(1, 1, activation="relu", name="conv1")(image)
    explained = finish(image, layers.Conv2D(1, 3, padding="same", activation="relu")(x), 2)
    first, second, last = (layer for layer in explained.model.layers if layer.weights)
    first.set_weights([np.full((1, 1, 1, 1), 0.1), np.array([-15.0])])
    second.set_weights([np.full((3, 3, 1, 1), 1 / 9), np.zeros(1)])
    last.set_weights([np.array([[-1.0, 1.0]]), np.zeros(2)])
    return explained


def patched_images(number: int = 2) -> np.ndarray:
    """Dark noise with one bright patch."""
    images = np.random.default_rng(0).integers(0, 90, (number, SIZE, SIZE, 1)).astype(np.float32)
    images[(slice(None), *PATCH)] += 160
    return images


def target_scores(explained: ExplainedModel, images: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The logit of each image's target."""
    return keras.ops.convert_to_numpy(target_score(explained.scores, targets)(images))


def noise(number: int = 2, channels: int = 1) -> np.ndarray:
    """Images without anything in them."""
    shape = (number, SIZE, SIZE, channels)
    return np.random.default_rng(1).integers(0, 256, shape).astype(np.float32)
