"""The factory builds what is requested, and refuses what a model cannot have."""

import numpy as np
import pytest

from kagglecxr.core.errors import SettingError, UnknownNameError
from kagglecxr.models import create_model, list_models

SHAPE = (64, 64, 1)


def _images(shape: tuple[int, int, int] = SHAPE, count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)


@pytest.mark.parametrize("name", ["cnn_small", "mobilenet_025"])
def test_one_class_is_one_sigmoid_unit(name: str) -> None:
    model = create_model(name, num_classes=1, input_shape=SHAPE)
    predictions = model.predict(_images(), verbose=0)
    assert predictions.shape == (2, 1)
    assert ((predictions > 0) & (predictions < 1)).all()


def test_grey_and_its_threefold_repeat_have_equal_predictions() -> None:
    grey = create_model("mobilenet_025", num_classes=2, input_shape=SHAPE)
    colour = create_model("mobilenet_025", num_classes=2, input_shape=(64, 64, 3))
    colour.set_weights(grey.get_weights())
    images = _images()
    np.testing.assert_allclose(
        grey.predict(images, verbose=0),
        colour.predict(np.repeat(images, 3, axis=-1), verbose=0),
        rtol=1e-5,
    )


def test_exposure_does_not_change_the_small_net_s_prediction() -> None:
    model = create_model("cnn_small", num_classes=3, input_shape=SHAPE)
    images = _images() // 2
    brighter = images + np.uint8(40)
    np.testing.assert_allclose(
        model.predict(images, verbose=0), model.predict(brighter, verbose=0), atol=1e-3
    )


def test_names_are_listed_by_pattern() -> None:
    assert list_models("mobilenet_v2*")[0] == "mobilenet_v2"
    assert set(list_models("mobilenet*")) < set(list_models())


def test_an_unknown_name_raises_with_the_nearest_three_names() -> None:
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
        ({"dropout_samples": 0}, "dropout_samples=0"),
        ({"input_shape": (31, 64, 1)}, "32 pixels"),
        ({"batch_norm": "cold"}, "cold"),
        ({"batch_norm": 1.5}, "1.5"),
    ],
)
def test_what_a_model_cannot_have_is_refused(arguments: dict[str, object], word: str) -> None:
    requested = {"num_classes": 2, "input_shape": SHAPE} | arguments
    with pytest.raises(SettingError, match=word):
        create_model("mobilenet_025", **requested)


def test_an_unknown_pooling_raises_with_the_nearest_names() -> None:
    with pytest.raises(UnknownNameError, match=r"'average_min'.*average_max"):
        create_model("mobilenet_025", num_classes=2, input_shape=SHAPE, pooling="average_min")


def test_a_backbone_that_scales_inside_takes_no_other_scaling() -> None:
    with pytest.raises(SettingError, match="zero_to_one"):
        create_model(
            "mobilenet_v3_small_minimalistic",
            num_classes=2,
            input_shape=SHAPE,
            scaling="zero_to_one",
        )


def test_a_u_net_takes_sizes_it_can_halve() -> None:
    with pytest.raises(SettingError, match=r"\(70, 70, 1\).*halve"):
        create_model("unet_bn", num_classes=1, input_shape=(70, 70, 1))


def test_any_size_is_predicted_where_the_input_says_none() -> None:
    model = create_model("mobilenet_025", num_classes=2, input_shape=(None, None, 1))
    for size in (32, 50):
        images = _images((size, size + 3, 1))
        assert model(images).shape == (2, 2)


def test_too_small_an_input_is_refused() -> None:
    with pytest.raises(SettingError, match=r"\(4, 4, 1\)"):
        create_model("cnn_3conv_dropout", num_classes=2, input_shape=(4, 4, 1))
