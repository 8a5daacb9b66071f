"""Weights come from where they are said to be, fit, or are refused with what to do."""

from pathlib import Path

import keras
import numpy as np
import pytest

from kagglecxr.core.errors import MissingError, WeightsError
from kagglecxr.models import create_model
from kagglecxr.models.card import MODELS
from kagglecxr.models.weights import find_weights, has_imagenet_weights

SHAPE = (32, 32, 1)
SHARED = Path(__file__).parents[2].parent / "shared" / "weights"


def test_a_folder_means_the_model_s_file_in_it(tmp_path: Path) -> None:
    file = tmp_path / MODELS["mobilenet_025"].weights_file
    file.touch()
    assert find_weights(MODELS["mobilenet_025"], tmp_path) == file


def test_imagenet_means_keras_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = MODELS["mobilenet_025"]
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert not has_imagenet_weights(card)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / card.weights_file).touch()
    assert has_imagenet_weights(card)
    assert find_weights(card, "imagenet") == tmp_path / "models" / card.weights_file


def test_a_missing_file_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"mobilenet_2_5_224_tf_no_top\.h5.*offline kernel"):
        find_weights(MODELS["mobilenet_025"], tmp_path)


def test_a_net_without_imagenet_weights_says_so() -> None:
    with pytest.raises(WeightsError, match="cnn_small"):
        create_model("cnn_small", num_classes=2, input_shape=SHAPE, weights="imagenet")


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.weights.h5"
    create_model("cnn_small", num_classes=2, input_shape=SHAPE).save_weights(path)
    with pytest.raises(WeightsError, match=r"mobilenet_025.*other\.weights\.h5"):
        create_model("mobilenet_025", num_classes=2, input_shape=SHAPE, weights=path)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.weights.h5"
    create_model("cnn_small", num_classes=2, input_shape=SHAPE).save_weights(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"cut\.weights\.h5"):
        create_model("cnn_small", num_classes=2, input_shape=SHAPE, weights=path)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real ImageNet weights are not here")
@pytest.mark.parametrize(
    ("name", "application", "alpha"),
    [
        ("mobilenet_025", keras.applications.MobileNet, 0.25),
        ("mobilenet_v2_035", keras.applications.MobileNetV2, 0.35),
    ],
)
def test_real_weights_give_the_application_s_own_features(
    name: str, application: type[keras.Model], alpha: float
) -> None:
    model = create_model(name, num_classes=2, input_shape=(96, 96, 1), weights=SHARED)
    plain = application(
        alpha=alpha,
        include_top=False,
        input_shape=(96, 96, 3),
        weights=str(SHARED / MODELS[name].weights_file),
    )
    images = np.random.default_rng(0).integers(0, 256, (2, 96, 96, 1)).astype(np.float32)
    layer = model.get_layer(MODELS[name].explainable_layer)
    features = keras.Model(model.inputs, layer.output).predict(images, verbose=0)
    expected = plain.predict(np.repeat(images, 3, axis=-1) / 127.5 - 1.0, verbose=0)
    np.testing.assert_allclose(features, expected, atol=1e-4)
