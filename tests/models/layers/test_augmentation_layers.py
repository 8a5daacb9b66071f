"""Layers that change images keep them in their range, and are gone outside training."""

from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import pytest

from kagglecxr.core.augmentation_settings import AugmentationSettings
from kagglecxr.models import create_model
from kagglecxr.models.layers.augmentation_layers import augmentation_layers
from kagglecxr.models.model_card import MODELS
from kagglecxr.models.weights.loading import load_weights

Greys = npt.NDArray[np.float32]
SHAPE = (32, 32, 1)
STILL = dict.fromkeys(("hflip", "rotation", "zoom", "shift", "contrast", "brightness"), 0.0)
STRONG = {
    "hflip": 1.0,
    "rotation": 30.0,
    "zoom": 0.3,
    "shift": 0.2,
    "contrast": 0.5,
    "brightness": 0.2,
    "gamma": 0.5,
    "noise": 0.05,
    "cutout": 0.4,
}
EVERYTHING = AugmentationSettings(**STRONG)
EACH = pytest.mark.parametrize("entry", list(STRONG))


@pytest.fixture(autouse=True)
def _seeded() -> None:
    keras.utils.set_random_seed(0)


@pytest.fixture
def images() -> Greys:
    """Raw pixels of every grey value, brighter to the right, (64, 32, 32, 1)."""
    ramp = np.broadcast_to(np.linspace(0, 255, 32, dtype=np.float32)[:, None], (64, *SHAPE))
    return np.ascontiguousarray(np.round(ramp))


def changed(images: Greys, **entries: float) -> Greys:
    """A batch changed, as in training, by these settings and no others."""
    for layer in augmentation_layers(AugmentationSettings(**{**STILL, **entries})):
        images = layer(images, training=True)
    result: Greys = keras.ops.convert_to_numpy(images)
    return result


@EACH
def test_a_layer_keeps_the_range_and_blackens_nothing(images: Greys, entry: str) -> None:
    result = changed(images, **{entry: STRONG[entry]})
    assert result.shape == images.shape
    assert result.dtype == np.float32
    assert not np.array_equal(result, images)
    assert result.min() >= 0
    assert result.max() <= 255
    assert result.max() > 190
    # A wrong value range would cut most greys to one end.
    assert float(result.mean()) == pytest.approx(127.5, abs=12)
    assert np.mean(result == 0) < 0.12
    assert np.mean(result == 255) < 0.12


def test_all_layers_together_blacken_nothing(images: Greys) -> None:
    result = changed(images, **STRONG)
    assert 0 <= result.min() < 30
    assert 225 < result.max() <= 255
    assert float(result.mean()) == pytest.approx(127.5, abs=15)
    assert float(result.std()) > 35
    assert np.mean(result == 0) < 0.2


@EACH
@pytest.mark.parametrize("training", [False, None])
def test_outside_training_a_layer_changes_nothing(
    images: Greys, entry: str, training: bool | None
) -> None:
    settings = AugmentationSettings(**{**STILL, entry: STRONG[entry]})
    (layer,) = augmentation_layers(settings)
    assert layer.name == f"augment_{entry}"
    result = keras.ops.convert_to_numpy(layer(images, training=training))
    np.testing.assert_array_equal(result, images)


def test_settings_of_zero_have_no_layers() -> None:
    assert augmentation_layers(AugmentationSettings(**STILL)) == []
    mixing_alone = AugmentationSettings(**STILL, mixup=0.2, cutmix=1.0)
    assert augmentation_layers(mixing_alone) == []


def test_mirroring_has_its_probability(images: Greys) -> None:
    result = changed(np.tile(images, (8, 1, 1, 1)), hflip=0.2)
    mirrored = np.array([np.array_equal(image, images[0, :, ::-1]) for image in result])
    unchanged = np.array([np.array_equal(image, images[0]) for image in result])
    assert np.all(mirrored ^ unchanged)
    assert mirrored.mean() == pytest.approx(0.2, abs=0.06)


def test_moves_go_either_way_and_no_further_than_they_are_set() -> None:
    dots = np.zeros((200, 41, 41, 1), np.float32)
    dots[:, 19:22, 29:32] = 255

    def places(**entries: float) -> npt.NDArray[np.complex128]:
        """Where each dot is, from the centre; it was at 10."""
        result = changed(dots, **entries)[..., 0]
        down, across = np.mgrid[-20:21, -20:21]
        weights = result / result.sum(axis=(1, 2), keepdims=True)
        return (weights * (across + 1j * down)).sum(axis=(1, 2))

    degrees = np.angle(places(rotation=30.0), deg=True)
    assert -31 <= degrees.min() < -27
    assert 27 < degrees.max() <= 31
    distance = np.abs(places(zoom=0.3)) / 10
    assert 1 / 1.35 <= distance.min() < 0.82
    assert 1.35 < distance.max() <= 1 / 0.68
    offset = (places(shift=0.2) - 10) / 41
    for part in (offset.real, offset.imag):
        assert -0.21 <= part.min() < -0.17
        assert 0.17 < part.max() <= 0.21


def test_contrast_and_gamma_go_either_way(images: Greys) -> None:
    narrow = 100 + images / 10
    spread = changed(narrow, contrast=0.5).std((1, 2, 3)) / narrow[0].std()
    assert 0.5 <= spread.min() < 0.6
    assert 1.4 < spread.max() <= 1.51
    middle = np.full((400, 2, 2, 1), 128, np.float32)
    powers = np.log(changed(middle, gamma=0.5)[:, 0, 0, 0] / 255) / np.log(128 / 255)
    assert 0.66 <= powers.min() < 0.72
    assert 1.45 < powers.max() <= 1.51


def test_noise_has_its_deviation() -> None:
    noise = changed(np.full((4, 64, 64, 1), 128, np.float32), noise=0.04) - 128
    assert noise.std() == pytest.approx(0.04 * 255, rel=0.03)
    assert noise.mean() == pytest.approx(0.0, abs=0.3)


def test_cutout_paints_one_box_of_its_share() -> None:
    cut = changed(np.zeros((16, 40, 40, 1), np.float32), cutout=0.5)[..., 0] == 128
    sides = cut.any(axis=2).sum(axis=1), cut.any(axis=1).sum(axis=1)
    np.testing.assert_array_equal(sides[0] * sides[1], cut.sum(axis=(1, 2)))
    for side in sides:
        assert np.abs(side - 20).max() <= 1


@pytest.mark.parametrize("name", ["cnn_small", "mobilenet_025"])
def test_a_model_stays_flat_and_takes_weights_with_and_without_layers(
    name: str, images: Greys, tmp_path: Path
) -> None:
    augmented = create_model(name, num_classes=3, input_shape=SHAPE, augmentation=EVERYTHING)
    assert not any(isinstance(layer, keras.Model) for layer in augmented.layers)
    names = [layer.name for layer in augmented.layers[1:10]]
    assert names == [f"augment_{entry}" for entry in STRONG]
    plain = create_model(name, num_classes=3, input_shape=SHAPE)
    assert augmented.count_params() == plain.count_params()
    for kept, other in ((augmented, plain), (plain, augmented)):
        path = tmp_path / f"{id(kept)}.weights.h5"
        for variable in kept.weights:
            variable.assign(variable + 0.01)
        kept.save_weights(path)
        load_weights(other, path)
        one, two = (np.asarray(model(images, training=False)) for model in (kept, other))
        np.testing.assert_array_equal(one, two)


def test_a_backbone_takes_its_downloaded_weights_below_the_layers(tmp_path: Path) -> None:
    bare = keras.applications.MobileNet(
        include_top=False, weights=None, alpha=0.25, input_shape=(32, 32, 3)
    )
    folder = tmp_path / "weights"
    folder.mkdir()
    path = folder / MODELS["mobilenet_025"].weights_file
    # Keras' downloads are of its old form, which goes by the order of layers.
    bare.save(path)
    model = create_model(
        "mobilenet_025", num_classes=3, input_shape=SHAPE, weights=folder, augmentation=EVERYTHING
    )
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(model.get_layer("conv_pw_13").kernel),
        keras.ops.convert_to_numpy(bare.get_layer("conv_pw_13").kernel),
    )


def test_a_call_that_does_not_speak_of_training_is_a_prediction(images: Greys) -> None:
    model = create_model("mobilenet_025", num_classes=3, input_shape=SHAPE, augmentation=EVERYTHING)
    before = model.get_weights()
    called = keras.ops.convert_to_numpy(model(images))
    np.testing.assert_allclose(called, model.predict(images, verbose=0), atol=1e-6)
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_layers_change_what_a_model_learns_from_also_when_it_is_frozen(images: Greys) -> None:
    model = create_model(
        "cnn_small", num_classes=3, input_shape=SHAPE, augmentation=EVERYTHING, trainable="head"
    )
    seen = keras.Model(model.input, model.get_layer("augment_cutout").output)
    result = keras.ops.convert_to_numpy(seen(images, training=True))
    assert not np.array_equal(result, images)


def test_half_precision_leaves_the_greys_whole(images: Greys) -> None:
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = create_model("cnn_small", num_classes=3, input_shape=SHAPE, augmentation=EVERYTHING)
    finally:
        keras.config.set_dtype_policy(policy)
    assert model.get_layer("augment_cutout").output.dtype == "float32"
    assert np.isfinite(model.predict(images, verbose=0)).all()


def test_a_model_with_layers_is_described_and_built_again(images: Greys) -> None:
    model = create_model("cnn_small", num_classes=3, input_shape=SHAPE, augmentation=EVERYTHING)
    again = keras.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(
        again.predict(images, verbose=0), model.predict(images, verbose=0)
    )
    described = [again.get_layer(f"augment_{entry}").layer.get_config() for entry in STRONG]
    expected = [model.get_layer(f"augment_{entry}").layer.get_config() for entry in STRONG]
    assert described == expected
