"""What is frozen stays as it was; what is not, learns."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from kagglecxr.core.errors import UnknownNameError
from kagglecxr.models import create_model
from kagglecxr.models.frozen_trunk import split_frozen_trunk

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


def test_an_unknown_layer_raises_with_the_nearest_names() -> None:
    with pytest.raises(UnknownNameError, match=r"block_61_project.*block_16_project"):
        _model("block_61_project")


IMAGES = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 1)).astype(np.float32)


@pytest.mark.parametrize(
    ("trainable", "shape"),
    [("head", (None, 256)), ("conv_pw_13", (None, 2, 2, 256)), ("conv_dw_10", (None, 4, 4, 128))],
)
def test_the_halves_are_the_model(trainable: str, shape: tuple[int | None, ...]) -> None:
    model = create_model(
        "mobilenet_025",
        num_classes=3,
        input_shape=(64, 64, 1),
        trainable=trainable,
        batch_norm="frozen",
    )
    trunk, learner = split_frozen_trunk(model)
    assert trunk.output.shape == shape
    assert not trunk.trainable_variables
    assert {id(v) for v in learner.trainable_variables} == {
        id(v) for v in model.trainable_variables
    }
    whole = model.predict_on_batch(IMAGES)
    np.testing.assert_allclose(
        learner.predict_on_batch(trunk.predict_on_batch(IMAGES)), whole, atol=1e-6
    )


def test_pooling_that_learns_is_not_kept() -> None:
    model = create_model(
        "mobilenet_025", num_classes=3, input_shape=(64, 64, 1), trainable="head", pooling="gem"
    )
    trunk, learner = split_frozen_trunk(model)
    assert trunk.output.shape == (None, 2, 2, 256)
    assert len(learner.trainable_variables) == 3


def test_pooled_features_of_frozen_layers_cross_next_to_the_last_map() -> None:
    image = keras.Input((8, 8, 1))
    frozen = layers.Conv2D(2, 3, trainable=False)(image)
    pooled = ops.mean(frozen, axis=(1, 2))
    learned = layers.GlobalAveragePooling2D()(layers.Conv2D(3, 3)(frozen))
    joined = layers.Dropout(0.5)(layers.Concatenate()([pooled, learned]))
    trunk, learner = split_frozen_trunk(keras.Model(image, layers.Dense(2)(joined)))
    assert sorted(tensor.shape for tensor in trunk.output) == [(None, 2), (None, 6, 6, 2)]
    assert len(learner.trainable_variables) == 4


def test_what_is_random_is_never_kept_and_what_learns_neither() -> None:
    image = keras.Input((8, 8, 1))
    noisy = layers.GaussianNoise(1.0)(image)
    still = layers.Conv2D(2, 3, trainable=False)(noisy)
    model = keras.Model(image, layers.Dense(2)(layers.Flatten()(still)))
    trunk, learner = split_frozen_trunk(model)
    assert trunk.output is image
    assert len(learner.layers) == len(model.layers)
