"""The feature maps of a network at its several sizes."""

import math

import keras
from keras import KerasTensor, layers

from kagglecxr.core.errors import SettingError
from kagglecxr.models.model_card import MODELS

MAX_DEPTHS = 4
_PADDINGS = (layers.ZeroPadding2D, layers.Cropping2D)


def find_skips(model: keras.Model, size: int) -> dict[int, KerasTensor]:
    """Returns a model's last features before each of its halvings.

    Args:
        model: a flat model.
        size: the height of its images.

    Returns:
        Features (batch, h, w, channels) by how often their size was halved, less than 0 where
        images are enlarged; without an entry where the only tensor of that size is the image.
    """
    halvings = {id(model.inputs[0]): 0}
    padded: dict[int, KerasTensor] = {}
    skips: dict[int, KerasTensor] = {}
    learned = {id(model.inputs[0]): False}
    # Of ConvNeXt's nested blocks, `layer.output` is inside of the block; layers of a model that was
    # split have nodes of the parts as well.
    nodes = [n for _, same in sorted(model._nodes_by_depth.items(), reverse=True) for n in same]
    for node in nodes:
        if node.is_input:
            continue
        layer, tensors, output = node.operation, node.input_tensors, node.outputs[0]
        source = tensors[0]
        learned[id(output)] = bool(getattr(layer, "weights", ())) or any(
            learned.get(id(t), False) for t in tensors
        )
        if len(output.shape) != 4 or output.shape[1] < 1:
            continue
        halvings[id(output)] = round(math.log2(size / output.shape[1]))
        # Padding is only for the convolution behind it.
        padded[id(output)] = (
            padded.get(id(source), source) if isinstance(layer, _PADDINGS) else output
        )
        source = padded.get(id(source), source)
        level = halvings.get(id(source))
        if level is not None and halvings[id(output)] == level + 1 and learned[id(source)]:
            skips[level] = source
    return skips


def earlier_maps(image: KerasTensor, last: KerasTensor, depths: int) -> list[KerasTensor]:
    """Returns the features before the last halvings of the size, the first depth first.

    Args:
        image: what a network takes, of a fixed size.
        last: its last feature map.
        depths: how many depths there are to be with the last; of a network of fewer sizes, fewer.

    Raises:
        SettingError: fewer than one.
    """
    if depths < 1:
        raise SettingError(
            f"Features are pooled at one depth at least. Received: depths={depths}. Use 1 for the "
            "last alone, or 3."
        )
    if depths == 1:
        return []
    skips = find_skips(keras.Model(image, last), int(image.shape[1]))
    maps = [skips[level] for level in sorted(skips) if skips[level] is not last]
    return maps[1 - depths :]


def add_pooled_features(model: keras.Model) -> keras.Model:
    """Returns a model with more outputs: its features at several depths, averaged over the image.

    The depths are the last feature map and those before the last halvings of the size, `MAX_DEPTHS`
    in all, fewer in networks of fewer sizes. Averages are of single precision.

    Args:
        model: a flat model of the zoo, by whose name its deepest layer is known, of one output and
            for images of a fixed size.

    Returns:
        A model that shares the layers of the first, with a list of outputs: that of the model, then
        (batch, channels) of each depth, the first depth first.
    """
    deepest = model.get_layer(MODELS[model.name].deepest_layer).output
    maps = [*earlier_maps(model.input, deepest, MAX_DEPTHS), deepest]
    pooled = [layers.GlobalAveragePooling2D(dtype="float32")(each) for each in maps]
    return keras.Model(model.input, [model.output, *pooled], name=model.name)
