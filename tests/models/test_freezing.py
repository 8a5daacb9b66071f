"""What is frozen stays as it was; what is not, learns."""

import keras
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
