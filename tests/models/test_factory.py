"""Every model of the zoo builds, trains a step, is saved, rebuilt, and predicts the same."""

from pathlib import Path

import keras
import numpy as np
import pytest

from kagglecxr.core.errors import SettingError, UnknownNameError
from kagglecxr.models import create_model, list_models
from kagglecxr.models.card import MODELS

SHAPE = (64, 64, 1)


def _images(shape: tuple[int, int, int] = SHAPE, count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)


def _flat(model: keras.Model) -> bool:
    return not any(isinstance(layer, keras.Model) for layer in model.layers)


# Other widths of one family differ only in their number of channels.
ONE_OF_EACH = ["cnn_small", "cnn_3conv_dropout", "mobilenet_025", "mobilenet_v2_035"]


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_model_trains_is_saved_and_rebuilt(name: str, tmp_path: Path) -> None:
    model = create_model(name, num_classes=3, input_shape=SHAPE)
    assert _flat(model)
    assert len(model.get_layer(MODELS[name].explainable_layer).output.shape) == 4
    model.compile("sgd", "categorical_crossentropy")
    before = model.get_weights()
    model.fit(_images(), np.eye(3, dtype=np.float32)[:2], verbose=0)
    changed = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert any(changed)
    path = tmp_path / "model.weights.h5"
    model.save_weights(path)
    rebuilt = create_model(name, num_classes=3, input_shape=SHAPE, weights=path)
    expected = model.predict(_images(), verbose=0)
    np.testing.assert_array_equal(rebuilt.predict(_images(), verbose=0), expected)
    np.testing.assert_allclose(expected.sum(axis=1), 1.0, rtol=1e-5)


@pytest.mark.parametrize("name", ["cnn_small", "mobilenet_025"])
def test_one_class_is_one_sigmoid_unit(name: str) -> None:
    model = create_model(name, num_classes=1, input_shape=SHAPE)
    answers = model.predict(_images(), verbose=0)
    assert answers.shape == (2, 1)
    assert ((answers > 0) & (answers < 1)).all()


def test_grey_and_its_threefold_repeat_are_answered_alike() -> None:
    grey = create_model("mobilenet_025", num_classes=2, input_shape=SHAPE)
    colour = create_model("mobilenet_025", num_classes=2, input_shape=(64, 64, 3))
    colour.set_weights(grey.get_weights())
    images = _images()
    np.testing.assert_allclose(
        grey.predict(images, verbose=0),
        colour.predict(np.repeat(images, 3, axis=-1), verbose=0),
        rtol=1e-5,
    )


def test_the_report_s_net_has_its_exact_parameters() -> None:
    model = create_model("cnn_3conv_dropout", num_classes=2, input_shape=(224, 224, 1))
    assert model.count_params() == 3_267_202


def test_exposure_does_not_change_the_small_net_s_answer() -> None:
    model = create_model("cnn_small", num_classes=3, input_shape=SHAPE)
    images = _images() // 2
    brighter = images + np.uint8(40)
    np.testing.assert_allclose(
        model.predict(images, verbose=0), model.predict(brighter, verbose=0), atol=1e-3
    )


def test_names_are_listed_by_pattern() -> None:
    assert list_models("mobilenet_v2*")[0] == "mobilenet_v2"
    assert set(ONE_OF_EACH) <= set(list_models())


def test_an_unknown_name_is_answered_with_the_nearest_three() -> None:
    with pytest.raises(UnknownNameError, match=r"'mobilnet'.*mobilenet, mobilenet_\w+") as caught:
        create_model("mobilnet", num_classes=2, input_shape=SHAPE)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"input_shape": (64, 64, 2)}, "channels"),
        ({"input_shape": (64, 64)}, "channels"),
        ({"num_classes": 0}, "num_classes=0"),
        ({"dropuot": 0.5}, "dropuot"),
        ({"pooling": "median"}, "median"),
        ({"batch_norm": "cold"}, "cold"),
        ({"batch_norm": 1.5}, "1.5"),
    ],
)
def test_what_a_model_cannot_have_is_refused(arguments: dict[str, object], word: str) -> None:
    asked = {"num_classes": 2, "input_shape": SHAPE} | arguments
    with pytest.raises(SettingError, match=word):
        create_model("mobilenet_025", **asked)


def test_too_small_an_input_is_refused() -> None:
    with pytest.raises(SettingError, match=r"\(4, 4, 1\)"):
        create_model("cnn_3conv_dropout", num_classes=2, input_shape=(4, 4, 1))
