"""Report 3's net of separable convolutions, alone and behind its lung mask."""

from keras import layers

from kagglecxr.models.card import Tensor, model_card
from kagglecxr.models.layers import HistogramEqualization
from kagglecxr.models.nets.large_kernels import REPORT_3
from kagglecxr.models.nets.unets import LUNGS, lungs_alone
from kagglecxr.models.scaling import zero_to_one


@model_card(
    source=REPORT_3,
    input_size=256,
    smallest=46,
    explainable_layer="stage4_conv2",
    parameters=79_410,
    trainable_parameters=78_930,
    classes=2,
)
def separable_cnn(inputs: Tensor) -> Tensor:
    """Four stages of two separable 4x4 convolutions of depth multiplier 2."""
    x = zero_to_one(inputs)
    for stage, filters in enumerate((16, 32, 64, 128), start=1):
        x = _separable(x, filters, f"stage{stage}_conv1", "same")
        x = layers.BatchNormalization(name=f"stage{stage}_norm")(x)
        x = _separable(x, filters, f"stage{stage}_conv2", "valid")
        if stage < 4:
            x = layers.MaxPooling2D(2, padding="same", name=f"stage{stage}_pool")(x)
    x = layers.GlobalMaxPooling2D(name="pool")(x)
    return layers.Dense(16, activation="relu", name="dense")(x)


@model_card(
    source=REPORT_3,
    input_size=299,
    explainable_layer="stage4_conv2",
    parameters=678_483,
    trainable_parameters=78_930,
    classes=2,
    lungs_layer=LUNGS,
)
def masked_separable_cnn(inputs: Tensor) -> Tensor:
    """All of the report's chain: resize, U-Net mask, equalise, then `separable_cnn`.

    Takes grey images of any size. The U-Net does not learn; its weights are those of a `unet_bn`.
    """
    return separable_cnn(HistogramEqualization(name="equalise")(lungs_alone(inputs, 256)))


def _separable(x: Tensor, filters: int, name: str, padding: str) -> Tensor:
    return layers.SeparableConv2D(
        filters,
        4,
        padding=padding,
        depth_multiplier=2,
        use_bias=False,
        activation="relu",
        name=name,
    )(x)
