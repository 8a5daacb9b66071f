"""Batch statistics are kept, gathered or measured anew, as requested."""

import keras
import numpy as np
import pytest

from kagglecxr.core.errors import SettingError
from kagglecxr.models import create_model
from kagglecxr.models.batch_norm import recalibrate_batch_norm

SHAPE = (32, 32, 1)
NORM = keras.layers.BatchNormalization


def _model(trainable: str, **options: object) -> keras.Model:
    return create_model(
        "mobilenet_v2_035", num_classes=2, input_shape=SHAPE, trainable=trainable, **options
    )


def _norms(model: keras.Model) -> list[NORM]:
    return [layer for layer in model.layers if isinstance(layer, NORM)]


def _small_net() -> keras.Model:
    image = keras.Input((8, 8, 1))
    x = NORM(name="first", momentum=0.999)(image)
    x = keras.layers.Dropout(0.5)(x)
    x = NORM(name="second", momentum=0.999)(x)
    return keras.Model(image, keras.layers.GlobalAveragePooling2D()(x))


def _batches(count: int) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.normal(3.0, 2.0, (4, 8, 8, 1)).astype(np.float32) for _ in range(count)]


def test_frozen_batch_norm_keeps_statistics_and_scale_in_training() -> None:
    model = _model("all", batch_norm="frozen")
    model.compile(keras.optimizers.SGD(0.1), "categorical_crossentropy")
    before = [weight for layer in _norms(model) for weight in layer.get_weights()]
    images = np.random.default_rng(0).integers(0, 256, (4, *SHAPE), dtype=np.uint8)
    model.fit(images, np.eye(2, dtype=np.float32)[[0, 1, 0, 1]], verbose=0)
    after = [weight for layer in _norms(model) for weight in layer.get_weights()]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)
    assert model.get_layer("Conv_1").trainable_weights


def test_a_number_is_the_momentum_of_every_norm_in_the_backbone() -> None:
    model = _model("all", batch_norm=0.9)
    momenta = {layer.momentum for layer in _norms(model)}
    assert momenta == {0.9}


@pytest.mark.parametrize("choice", ["thawed", 1.5, 0.0])
def test_another_choice_is_refused(choice: str | float) -> None:
    with pytest.raises(SettingError, match=str(choice)):
        _model("all", batch_norm=choice)


@pytest.mark.parametrize("count", [1, 3])
def test_statistics_measured_anew_are_the_means_of_the_batches(count: int) -> None:
    model, batches = _small_net(), _batches(count)
    recalibrate_batch_norm(model, batches)
    first = model.get_layer("first")
    mean = np.mean([batch.mean() for batch in batches])
    variance = np.mean([batch.var() for batch in batches])
    np.testing.assert_allclose(first.moving_mean, [mean], rtol=1e-5)
    np.testing.assert_allclose(first.moving_variance, [variance], rtol=1e-5)
    # The second sees what the first has normalised by each batch, and no pixel dropped.
    second = model.get_layer("second")
    np.testing.assert_allclose(second.moving_mean, [0.0], atol=1e-5)
    np.testing.assert_allclose(second.moving_variance, [1.0], atol=1e-3)
    assert (first.momentum, model.layers[2].rate) == (0.999, 0.5)


def test_layers_that_do_not_learn_keep_their_statistics() -> None:
    model = _small_net()
    model.get_layer("first").trainable = False
    recalibrate_batch_norm(model, _batches(2))
    np.testing.assert_array_equal(model.get_layer("first").moving_mean, [0.0])
    assert np.all(np.asarray(model.get_layer("second").moving_mean) != 0.0)


def test_measured_anew_a_batch_is_predicted_as_in_training() -> None:
    model = create_model("cnn_small", num_classes=3, input_shape=SHAPE, dropout=0.0)
    images = np.random.default_rng(0).integers(0, 256, (8, *SHAPE)).astype(np.float32)
    recalibrate_batch_norm(model, [images])
    np.testing.assert_allclose(
        model(images, training=False), model(images, training=True), atol=1e-4
    )
