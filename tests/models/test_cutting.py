"""A model is cut behind all that gives an image the same features every time."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from kagglecxr.models import create_model
from kagglecxr.models.cutting import cut_where_learning_starts

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 1)).astype(np.float32)


@pytest.mark.parametrize(
    ("trainable", "shape"),
    [("head", (None, 256)), ("conv_pw_13", (None, 2, 2, 256)), ("conv_dw_10", (None, 4, 4, 128))],
)
def test_the_halves_are_the_model(trainable: str, shape: tuple[int | None, ...]) -> None:
    model = create_model(
        "mobilenet_025",
        num_classes=3,
        input_shape=(64, 64, 1),
        trainable=trainable,
        batch_norm="frozen",
    )
    trunk, learner = cut_where_learning_starts(model)
    assert trunk.output.shape == shape
    assert not trunk.trainable_variables
    assert {id(v) for v in learner.trainable_variables} == {
        id(v) for v in model.trainable_variables
    }
    whole = model.predict_on_batch(IMAGES)
    np.testing.assert_allclose(
        learner.predict_on_batch(trunk.predict_on_batch(IMAGES)), whole, atol=1e-6
    )


def test_pooling_that_learns_is_not_kept() -> None:
    model = create_model(
        "mobilenet_025", num_classes=3, input_shape=(64, 64, 1), trainable="head", pooling="gem"
    )
    trunk, learner = cut_where_learning_starts(model)
    assert trunk.output.shape == (None, 2, 2, 256)
    assert len(learner.trainable_variables) == 3


def test_pooled_features_of_frozen_layers_cross_beside_the_last_map() -> None:
    image = keras.Input((8, 8, 1))
    frozen = layers.Conv2D(2, 3, trainable=False)(image)
    pooled = ops.mean(frozen, axis=(1, 2))
    learned = layers.GlobalAveragePooling2D()(layers.Conv2D(3, 3)(frozen))
    joined = layers.Dropout(0.5)(layers.Concatenate()([pooled, learned]))
    trunk, learner = cut_where_learning_starts(keras.Model(image, layers.Dense(2)(joined)))
    assert sorted(tensor.shape for tensor in trunk.output) == [(None, 2), (None, 6, 6, 2)]
    assert len(learner.trainable_variables) == 4


def test_what_is_random_is_never_kept_and_what_learns_neither() -> None:
    image = keras.Input((8, 8, 1))
    noisy = layers.GaussianNoise(1.0)(image)
    still = layers.Conv2D(2, 3, trainable=False)(noisy)
    model = keras.Model(image, layers.Dense(2)(layers.Flatten()(still)))
    trunk, learner = cut_where_learning_starts(model)
    assert trunk.output is image
    assert len(learner.layers) == len(model.layers)
