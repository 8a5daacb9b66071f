"""What is frozen stays as it was; what is not, learns."""

import keras
import numpy as np
import pytest

from kagglecxr.core.errors import UnknownNameError
from kagglecxr.models import create_model

SHAPE = (32, 32, 1)


def _learning(model: keras.Model) -> set[str]:
    """The layers whose trainable weights an optimiser would change."""
    return {layer.name for layer in model.layers if layer.trainable_weights}


def _model(trainable: str, **options: object) -> keras.Model:
    return create_model(
        "mobilenet_v2_035", num_classes=2, input_shape=SHAPE, trainable=trainable, **options
    )


def test_head_leaves_the_backbone_alone() -> None:
    assert _learning(_model("head")) == {"logits"}


def test_head_of_a_net_with_its_own_is_its_last_layer() -> None:
    model = create_model("cnn_small", num_classes=2, input_shape=SHAPE, trainable="head")
    assert _learning(model) == {"logits"}


def test_last_conv_takes_its_batch_norm_along() -> None:
    assert _learning(_model("last_conv")) == {"Conv_1", "Conv_1_bn", "logits"}


def test_last_2_conv_begins_a_convolution_earlier() -> None:
    expected = {"block_16_project", "block_16_project_BN", "Conv_1", "Conv_1_bn", "logits"}
    assert _learning(_model("last_2_conv")) == expected


def test_a_layer_s_name_is_where_learning_begins() -> None:
    names = _learning(_model("block_16_depthwise"))
    assert "block_16_depthwise" in names
    assert "block_16_expand" not in names


def test_an_unknown_layer_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"block_61_project.*block_16_project"):
        _model("block_61_project")


def test_frozen_batch_norm_keeps_statistics_and_scale_in_training() -> None:
    model = _model("all", batch_norm="frozen")
    model.compile(keras.optimizers.SGD(0.1), "categorical_crossentropy")
    norms = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    before = [weight for layer in norms for weight in layer.get_weights()]
    images = np.random.default_rng(0).integers(0, 256, (4, *SHAPE), dtype=np.uint8)
    model.fit(images, np.eye(2, dtype=np.float32)[[0, 1, 0, 1]], verbose=0)
    after = [weight for layer in norms for weight in layer.get_weights()]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)
    assert "Conv_1" in _learning(model)


def test_a_number_is_the_momentum_of_every_norm_in_the_backbone() -> None:
    model = _model("all", batch_norm=0.9)
    momenta = {x.momentum for x in model.layers if isinstance(x, keras.layers.BatchNormalization)}
    assert momenta == {0.9}
