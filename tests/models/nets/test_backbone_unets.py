"""U-Nets on backbones: what the decoder takes from where, and what learns."""

import warnings
from pathlib import Path

import keras
import numpy as np
import pytest

from kagglecxr.core.errors import SettingError
from kagglecxr.models import create_model, list_models
from kagglecxr.models.layers.resizing import ResizeLike
from kagglecxr.models.model_card import MODELS, read_backbones
from kagglecxr.models.nets.backbone_unets import find_skips

NAME = "unet_mobilenet_025"
ENCODER = MODELS[NAME].encoder_layer


def build(size: int = 64, **arguments: object) -> keras.Model:
    return create_model(NAME, num_classes=1, input_shape=(size, size, 1), **arguments)


def encoder(model: keras.Model) -> keras.Model:
    return keras.Model(model.input, model.get_layer(ENCODER).output)


def weighted(model: keras.Model, part: str) -> list[keras.Layer]:
    """The layers with weights before the encoder's end, or behind it."""
    inside = {id(layer) for layer in encoder(model).layers}
    return [
        layer
        for layer in model.layers
        if layer.weights and (id(layer) in inside) == (part == "encoder")
    ]


def test_there_is_one_on_every_backbone() -> None:
    names = {f"unet_{row['name']}" for row in read_backbones()}
    assert names <= set(list_models("unet_*"))
    for name in names:
        card, backbone = MODELS[name], MODELS[name.removeprefix("unet_")]
        assert (card.kind, card.classes) == ("segmenter", 1)
        assert card.parameters > backbone.parameters
        assert card.trainable_parameters - backbone.trainable_parameters > 0
        assert card.weights_file == backbone.weights_file


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return build()


def images(size: int = 64) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, size, size, 1), np.uint8)


def test_each_pixel_has_a_probability(model: keras.Model) -> None:
    masks = keras.ops.convert_to_numpy(model(images()))
    assert masks.shape == (2, 64, 64, 1)
    assert 0 < masks.min() < masks.max() < 1


def test_each_level_takes_the_features_of_its_size(model: keras.Model) -> None:
    for level, name in ((5, "up5"), (4, "up4"), (3, "up3"), (2, "up2")):
        joined = model.get_layer(f"{name}_concatenate")
        decoded, skip = joined.input
        assert decoded.shape[1] == skip.shape[1] == 2 * 64 // 2**level
    assert model.get_layer("decoder").output.shape[1] == 32


def test_skips_are_the_last_learned_features_before_a_halving() -> None:
    inputs = keras.Input((32, 32, 1))
    kept = x = keras.layers.Conv2D(3, 3, padding="same")(inputs)
    x = keras.layers.ZeroPadding2D(1)(x)
    x = keras.layers.Conv2D(4, 3, strides=2)(x)
    late = x = keras.layers.ReLU()(x)
    x = keras.layers.MaxPooling2D()(x)
    skips = find_skips(keras.Model(inputs, x), 32)
    assert skips.keys() == {0, 1}
    assert skips[0] is kept
    assert skips[1] is late


def test_the_image_itself_is_no_skip() -> None:
    inputs = keras.Input((32, 32, 1))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same")(x)
    assert find_skips(keras.Model(inputs, x), 32) == {}


def test_imagenet_weights_go_into_the_encoder(tmp_path: Path) -> None:
    path = tmp_path / "notop.h5"
    plain = keras.applications.MobileNet(
        weights=None, alpha=0.25, include_top=False, input_shape=(64, 64, 3)
    )
    with warnings.catch_warnings():
        # Keras advises against the form, which its own downloads have.
        warnings.simplefilter("ignore")
        plain.save(path)
    model = build(weights=path)
    colour = np.repeat(images(), 3, axis=-1).astype(np.float32)
    expected = plain(keras.applications.mobilenet.preprocess_input(colour))
    np.testing.assert_allclose(encoder(model)(images()), expected, atol=1e-4)


def test_where_the_encoder_is_frozen_the_decoder_learns() -> None:
    model = build(trainable="head", batch_norm="frozen")
    assert not any(layer.trainable_weights for layer in weighted(model, "encoder"))
    decoder = weighted(model, "decoder")
    assert all(layer.trainable_weights for layer in decoder)
    assert {layer.name for layer in decoder} >= {"up5_conv", "up5_norm", "up2_conv", "up2_norm"}


def test_frozen_statistics_are_the_encoders_alone() -> None:
    model = build(batch_norm="frozen")
    norms = keras.layers.BatchNormalization
    frozen = [layer for layer in weighted(model, "encoder") if isinstance(layer, norms)]
    learned = [layer for layer in weighted(model, "decoder") if isinstance(layer, norms)]
    assert frozen
    assert not any(layer.trainable for layer in frozen)
    assert len(learned) == 4
    assert all(layer.trainable for layer in learned)


def test_odd_sizes_and_fewer_levels_are_resized_to_the_image() -> None:
    small = build(33, filters=(8, 4))
    assert [layer.name for layer in weighted(small, "decoder")][:4] == [
        "up5_conv", "up5_norm", "up4_conv", "up4_norm",
    ]  # fmt: skip
    assert small.get_layer("decoder").output.shape[1:] == (4, 4, 4)
    assert keras.ops.convert_to_numpy(small(images(33))).shape == (2, 33, 33, 1)


def test_levels_are_at_most_the_backbones_halvings() -> None:
    with pytest.raises(SettingError, match="6 filters for 5 halvings of mobilenet_025"):
        build(filters=(8,) * 6)


def test_images_of_unknown_size_are_refused() -> None:
    with pytest.raises(SettingError, match=r"\(None, None, 1\)"):
        create_model(NAME, num_classes=1, input_shape=(None, None, 1))


def test_features_are_resized_like_others() -> None:
    small = np.arange(4, dtype=np.float32).reshape(1, 2, 2, 1)
    layer, like = ResizeLike(), np.zeros((1, 4, 6, 3), np.float32)
    resized = keras.ops.convert_to_numpy(layer([small, like]))
    assert resized.shape == layer.compute_output_shape([small.shape, like.shape]) == (1, 4, 6, 1)
    # Half-pixel centres: a quarter, three quarters of the way down.
    np.testing.assert_allclose(resized[0, :, 0, 0], [0, 0.5, 1.5, 2], atol=1e-6)
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(layer([small, np.zeros((1, 2, 2, 5))])), small
    )
