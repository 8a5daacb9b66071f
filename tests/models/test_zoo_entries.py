"""Every entry of the zoo builds, trains a step, is saved, rebuilt, and can be explained."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pytest
from tf_explain.core.grad_cam import GradCAM

from kagglecxr.core.errors import SettingError
from kagglecxr.models import create_model, list_models
from kagglecxr.models.batch_norm import recalibrate_batch_norm
from kagglecxr.models.model_card import MODELS, ModelCard
from kagglecxr.models.weights.hdf5 import save_weights
from kagglecxr.models.weights.loading import load_weights

CARDS = [MODELS[name] for name in list_models()]

# Other widths and depths of one family differ only in numbers; these and the nets are quick, and
# the families left out are built by the slow tests.
ONE_OF_EACH = {"vgg16", "mobilenet_025"}
# Nets that take ten seconds or more; test_unets.py builds one of them every time.
SLOW_NETS = {"xception45", "masked_separable_cnn", "umons_scratch"}
# Of U-Nets on backbones, the one that is quickest to build.
ONE_U_NET = "unet_mobilenet_025"
NESTED = ("convnext", "unet_convnext")


def _is_quick(card: ModelCard) -> bool:
    if card.encoder_layer:
        return card.name == ONE_U_NET
    return card.name in ONE_OF_EACH or not (card.kind == "backbone" or card.name in SLOW_NETS)


def _entries(cards: Sequence[ModelCard]) -> list[object]:
    return [
        pytest.param(card, id=card.name, marks=() if _is_quick(card) else pytest.mark.slow)
        for card in cards
    ]


def _build(card: ModelCard, size: int, **kwargs: object) -> keras.Model:
    shape = (size, size, card.channels)
    return create_model(card.name, num_classes=card.classes, input_shape=shape, **kwargs)


def _small(card: ModelCard) -> int:
    # Of two images and one place, batch statistics are of two numbers: deep nets overflow by them.
    return max(card.smallest, 64)


def _targets(model: keras.Model) -> np.ndarray:
    shape = tuple(model.output.shape[1:])
    return np.random.default_rng(1).random((2, *shape)).astype(np.float32)


def _images(model: keras.Model) -> np.ndarray:
    shape = tuple(model.input.shape[1:])
    return np.random.default_rng(0).integers(0, 256, (2, *shape), dtype=np.uint8)


# tf-explain wraps the list of inputs in another list.
@pytest.mark.filterwarnings(r"ignore:(?s).*structure of .inputs:UserWarning")
@pytest.mark.parametrize("card", _entries(CARDS))
def test_an_entry_keeps_its_promises(card: ModelCard, tmp_path: Path) -> None:
    # By chance all four units of a small dense layer can be dead, and with them every gradient.
    keras.utils.set_random_seed(1)
    model = _build(card, _small(card))
    images = _images(model)
    nested = [layer.name for layer in model.layers if isinstance(layer, keras.Model)]
    assert not nested or card.name.startswith(NESTED)
    if card.kind == "backbone":
        # They do not depend on the size of its images, as a net's may.
        _has_its_parameters(model, card)
    _trains(model, images)
    # With statistics of no picture at all, deep nets answer with infinities.
    recalibrate_batch_norm(model, [images.astype(np.float32)])
    path = tmp_path / "model.weights.h5"
    save_weights(keras.Model(model.inputs, model.outputs), path)
    expected = _answers(model, images)
    del model
    keras.utils.clear_session()
    rebuilt = _build(card, _small(card))
    load_weights(rebuilt, path)
    np.testing.assert_array_equal(_answers(rebuilt, images), expected)
    _, gradients = GradCAM.get_gradients_and_filters(
        rebuilt, images.astype(np.float32), card.gradcam_layer, 0, use_guided_grads=False
    )
    assert np.isfinite(gradients).all()
    assert np.any(gradients)


def _has_its_parameters(model: keras.Model, card: ModelCard) -> None:
    counted = model
    if card.kind == "backbone" and not card.head:
        counted = keras.Model(model.inputs, model.get_layer("pool").input)
    assert counted.count_params() == card.parameters
    trainable = sum(int(np.prod(v.shape)) for v in counted.trainable_weights)
    assert trainable == card.trainable_parameters


def _trains(model: keras.Model, images: np.ndarray) -> None:
    # Eagerly: to trace a graph takes longer than all the rest.
    model.compile(keras.optimizers.SGD(1e-4), "binary_crossentropy", run_eagerly=True)
    before = model.get_weights()
    model.fit(images, _targets(model), verbose=0)
    after = model.get_weights()
    assert all(np.isfinite(value).all() for value in after)
    assert any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def _answers(model: keras.Model, images: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(images, training=False))


@pytest.mark.parametrize("card", _entries([c for c in CARDS if c.kind != "backbone"]))
def test_parameters_of_a_net_are_those_of_the_card(card: ModelCard) -> None:
    _has_its_parameters(_build(card, card.input_size), card)


@pytest.mark.parametrize("card", [c for c in CARDS if c.smallest > 1], ids=lambda card: card.name)
def test_one_pixel_less_than_the_smallest_is_refused(card: ModelCard) -> None:
    with pytest.raises(SettingError, match=str(card.smallest)):
        _build(card, card.smallest - 1)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_a_card_has_every_fact(card: ModelCard) -> None:
    assert card.source
    assert card.input_size >= card.smallest
    assert card.parameters >= card.trainable_parameters > 0
    assert bool(card.weights_file) == (card.download is not None)
    if card.kind == "backbone":
        assert card.weights_file.endswith(".h5")
