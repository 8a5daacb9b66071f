"""Weights go where they fit, whole, and what was not used is reported."""

import re
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest

from kagglecxr.core.errors import CxrWarning, WeightsError
from kagglecxr.models import create_model
from kagglecxr.models.model_card import MODELS
from kagglecxr.models.scaling import IMAGENET_DEVIATION
from kagglecxr.models.weights.hdf5 import save_weights
from kagglecxr.models.weights.loading import load_mean_weights, load_weights

SHAPE = (32, 32, 1)
SHARED = Path(__file__).parents[3].parent / "shared" / "weights"


def _downloaded(application: type[keras.Model], path: Path, **options: object) -> keras.Model:
    """A model of keras.applications, by chance, and its file in the form of Keras' downloads."""
    model = application(weights=None, **options)
    with warnings.catch_warnings():
        # Keras advises against the form, which its own downloads have.
        warnings.simplefilter("ignore")
        model.save(path)
    return model


def _equal(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_head_for_other_classes_is_left_to_chance_and_reported(tmp_path: Path) -> None:
    path = tmp_path / "three.weights.h5"
    three = create_model("mobilenet_025", num_classes=3, input_shape=SHAPE)
    save_weights(three, path)
    with pytest.warns(CxrWarning, match=r"three\.weights\.h5.*nothing for logits"):
        two = create_model("mobilenet_025", num_classes=2, input_shape=SHAPE, weights=path)
    kernel_and_bias = 2
    assert _equal(three.get_weights()[:-kernel_and_bias], two.get_weights()[:-kernel_and_bias])


def test_dense_layers_that_fit_are_used_though_the_last_does_not(tmp_path: Path) -> None:
    path = tmp_path / "three.weights.h5"
    options = {"input_shape": SHAPE, "dense": (8,)}
    three = create_model("mobilenet_025", num_classes=3, **options)
    save_weights(three, path)
    with pytest.warns(CxrWarning, match="nothing for logits"):
        two = create_model("mobilenet_025", num_classes=2, weights=path, **options)
    np.testing.assert_array_equal(three.get_layer("dense1").kernel, two.get_layer("dense1").kernel)


def test_of_a_download_with_its_top_the_top_is_not_used_and_reported(tmp_path: Path) -> None:
    path = tmp_path / "top.h5"
    plain = _downloaded(keras.applications.MobileNet, path, alpha=0.25, classes=7)
    with pytest.warns(CxrWarning, match=r"1 layers were not used: conv_preds"):
        model = create_model("mobilenet_025", num_classes=2, input_shape=SHAPE, weights=path)
    np.testing.assert_array_equal(
        model.get_layer("conv_pw_13").kernel, plain.get_layer("conv_pw_13").kernel
    )


@pytest.mark.slow
def test_the_first_layers_of_xception_take_a_download_of_all(tmp_path: Path) -> None:
    path = tmp_path / "xception.h5"
    plain = _downloaded(
        keras.applications.Xception, path, include_top=False, input_shape=(71, 71, 3)
    )
    with pytest.warns(CxrWarning, match=r"\d\d layers were not used: block6_sepconv1"):
        model = create_model("xception45", num_classes=2, input_shape=SHAPE, weights=path)
    for name in ("block1_conv1", "block4_sepconv2", "block5_sepconv3"):
        np.testing.assert_array_equal(
            model.get_layer(name).get_weights()[0], plain.get_layer(name).get_weights()[0]
        )


@pytest.mark.slow
def test_a_u_net_goes_in_front_of_the_net_behind_it(tmp_path: Path) -> None:
    path = tmp_path / "lungs.weights.h5"
    unet = create_model("unet_bn", num_classes=1, input_shape=(256, 256, 1))
    # At birth every U-Net has the same statistics: others show that they are carried over.
    unet.get_layer("down1_norm1").moving_mean.assign(np.arange(16))
    save_weights(unet, path)
    chain = create_model(
        "masked_separable_cnn", num_classes=2, input_shape=(None, None, 1), weights=path
    )
    images = np.random.default_rng(0).integers(0, 256, (1, 256, 256, 1)).astype(np.float32)
    lungs = keras.Model(chain.inputs, chain.get_layer("lungs").output)
    predictions = [model.predict(images, verbose=0) for model in (lungs, unet)]
    np.testing.assert_allclose(*predictions, atol=1e-6)


@pytest.mark.slow
def test_efficientnet_keeps_the_colours_of_imagenet(tmp_path: Path) -> None:
    path = tmp_path / "efficientnet.h5"
    plain = _downloaded(
        keras.applications.EfficientNetB0, path, include_top=False, input_shape=(32, 32, 3)
    )
    model = create_model("efficientnet_b0", num_classes=2, input_shape=SHAPE, weights=path)
    np.testing.assert_array_equal(
        model.get_layer("stem_conv").kernel, plain.get_layer("stem_conv").kernel
    )
    first = next(x for x in model.layers if isinstance(x, keras.layers.Normalization))
    variance = [deviation**2 for deviation in IMAGENET_DEVIATION]
    np.testing.assert_allclose(first.adapt_variance, variance, rtol=1e-6)


def test_several_sources_are_loaded_in_turn(tmp_path: Path) -> None:
    one, other = tmp_path / "one.weights.h5", tmp_path / "other.weights.h5"
    for path in (one, other):
        save_weights(create_model("cnn_small", num_classes=2, input_shape=SHAPE), path)
    both = create_model("cnn_small", num_classes=2, input_shape=SHAPE, weights=[one, other])
    last = create_model("cnn_small", num_classes=2, input_shape=SHAPE, weights=other)
    assert _equal(both.get_weights(), last.get_weights())


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.weights.h5"
    save_weights(create_model("cnn_small", num_classes=2, input_shape=SHAPE), path)
    with pytest.raises(WeightsError, match=r"mobilenet_025.*other\.weights\.h5.*conv1"):
        create_model("mobilenet_025", num_classes=2, input_shape=SHAPE, weights=path)


def test_a_download_of_another_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.h5"
    _downloaded(
        keras.applications.MobileNet, path, alpha=0.5, include_top=False, input_shape=(32, 32, 3)
    )
    with pytest.raises(WeightsError, match=r"mobilenet_025.*other\.h5"):
        create_model("mobilenet_025", num_classes=2, input_shape=SHAPE, weights=path)


def test_a_run_of_this_model_has_no_other_head(tmp_path: Path) -> None:
    path = tmp_path / "three.weights.h5"
    save_weights(create_model("cnn_small", num_classes=3, input_shape=SHAPE), path)
    with pytest.raises(WeightsError, match="logits"):
        load_weights(create_model("cnn_small", num_classes=2, input_shape=SHAPE), path)


@pytest.mark.parametrize("suffix", [".weights.h5", ".h5"])
def test_a_cut_file_is_refused_and_changes_nothing(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cut{suffix}"
    model = create_model("mobilenet_025", num_classes=2, input_shape=SHAPE)
    if suffix == ".h5":
        _downloaded(
            keras.applications.MobileNet,
            path,
            alpha=0.25,
            include_top=False,
            input_shape=(32, 32, 3),
        )
    else:
        save_weights(model, path)
    whole, before = path.read_bytes(), model.get_weights()
    for kept in (0, 10, 1000, -2000):
        path.write_bytes(whole[:kept])
        with pytest.raises(WeightsError, match=re.escape(path.name)):
            load_weights(model, path)
        assert _equal(before, model.get_weights())


def test_what_brings_a_file_back_depends_on_who_wrote_it(tmp_path: Path) -> None:
    model = create_model("cnn_small", num_classes=2, input_shape=SHAPE)
    of_run, download = tmp_path / "run" / "fold-1" / "model.weights.h5", tmp_path / "net.h5"
    of_run.parent.mkdir(parents=True)
    for path in (of_run, download):
        path.write_bytes(b"no weights")
    with pytest.raises(WeightsError) as caught:
        load_weights(model, of_run)
    removed = f"remove {of_run.parent} and {tmp_path / 'run' / 'run.json'}, and run the command"
    assert removed in str(caught.value)
    assert "Download" not in str(caught.value)
    with pytest.raises(WeightsError, match="Download it again"):
        load_weights(model, download)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real ImageNet weights are not here")
@pytest.mark.parametrize(
    ("name", "application", "options", "preprocess"),
    [
        (
            "mobilenet_025",
            keras.applications.MobileNet,
            {"alpha": 0.25},
            keras.applications.mobilenet.preprocess_input,
        ),
        pytest.param(
            "mobilenet_v2_035",
            keras.applications.MobileNetV2,
            {"alpha": 0.35},
            keras.applications.mobilenet_v2.preprocess_input,
            marks=pytest.mark.slow,
        ),
        ("vgg16", keras.applications.VGG16, {}, keras.applications.vgg16.preprocess_input),
    ],
)
def test_real_weights_give_the_application_s_own_features(
    name: str, application: type[keras.Model], options: dict, preprocess: object
) -> None:
    file = SHARED / MODELS[name].weights_file
    plain = application(include_top=False, input_shape=(96, 96, 3), weights=str(file), **options)
    for channels in (1, 3):
        shape = (96, 96, channels)
        model = create_model(name, num_classes=2, input_shape=shape, weights=SHARED)
        images = np.random.default_rng(0).integers(0, 256, (2, *shape)).astype(np.float32)
        features = keras.Model(model.input, model.get_layer("pool").input)
        colours = np.repeat(images, 3, axis=-1) if channels == 1 else images.copy()
        # Called as they are: to trace a graph takes longer than all the rest.
        expected = np.asarray(plain(preprocess(colours), training=False))
        got = np.asarray(features(images, training=False))
        np.testing.assert_allclose(got, expected, atol=1e-4 * np.abs(expected).max())


def _net(seed: int, width: int = 4) -> keras.Model:
    keras.utils.set_random_seed(seed)
    return create_model("cnn_small", num_classes=3, input_shape=SHAPE, width=width)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{seed}.weights.h5" for seed in range(3)]
    for seed, path in enumerate(paths):
        save_weights(_net(seed), path)
    return paths


def test_every_weight_is_the_mean_of_the_files(files: list[Path]) -> None:
    read = []
    for path in files:
        model = _net(9)
        model.load_weights(path)
        read.append(model.get_weights())
    mixed = _net(7)
    load_mean_weights(mixed, files)
    for weight, *parts in zip(mixed.get_weights(), *read, strict=True):
        np.testing.assert_allclose(weight, np.mean(parts, axis=0), rtol=1e-6, atol=1e-7)


def test_the_mean_of_a_file_and_itself_is_the_file(files: list[Path]) -> None:
    model, alone = _net(7), _net(8)
    load_mean_weights(model, [files[0], files[0]])
    alone.load_weights(files[0])
    for one, other in zip(model.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_file_of_another_net_is_refused(files: list[Path]) -> None:
    with pytest.raises(WeightsError, match=files[1].name.replace(".", r"\.") + "|0"):
        load_mean_weights(_net(0, width=8), files)
