"""What layer-wise relevance propagation has to know of a network before it begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from kagglecxr.core.errors import SettingError
from kagglecxr.models.layers.pooling import GeneralizedMeanPooling2D
from kagglecxr.saliency.affine_parts import WEIGHTED
from kagglecxr.saliency.gradients import relu_limit

HOMOGENEOUS = (
    layers.Add, layers.Average, layers.Concatenate, layers.Identity,
    layers.MaxPooling2D, layers.AveragePooling2D, GeneralizedMeanPooling2D,
    layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D,
    layers.ZeroPadding2D, layers.Cropping2D, layers.UpSampling2D,
    layers.Flatten, layers.Reshape, layers.Permute,
    layers.Dropout, layers.SpatialDropout2D,
)  # fmt: skip
"""Layers that give k times as much for k times as much, so that nothing is lost in them."""


@dataclass(frozen=True)
class Node:
    """A layer as it stands in the network, between the numbers of its tensors."""

    layer: layers.Layer
    inputs: Sequence[int]
    output: int


@dataclass(frozen=True)
class RelevanceGraph:
    """The learned part of a network, in the order of computation.

    Attributes:
        nodes: behind the scaling of the pixels.
        tensors: all of the network, by their numbers.
        ends: the numbers of the tensors that hold the scaled image.
        folded: by the output of a weighted layer, the batch normalisation that follows it alone.
        shifted: outputs of batch normalisations that cannot be folded and are followed by a ReLU
            alone: both are one shifted ReLU, and the rest of the normalisation belongs to the
            layers behind it (Binder et al. 2016's canonical form).
    """

    nodes: Sequence[Node]
    tensors: Sequence[Any]
    ends: frozenset[int]
    folded: dict[int, layers.BatchNormalization]
    shifted: frozenset[int]


def relevance_graph(model: keras.Model) -> RelevanceGraph:
    """Reads the graph of a flat model up to its logits.

    Raises:
        SettingError: a layer for which there is no rule, such as a gate or a GELU.
    """
    number: dict[int, int] = {}
    tensors: list[Any] = []
    nodes: list[Node] = []
    learned: set[int] = set()
    for node in _in_order(model):
        for tensor in (*node.input_tensors, *node.outputs):
            if number.setdefault(id(tensor), len(tensors)) == len(tensors):
                tensors.append(tensor)
        inputs = [number[id(tensor)] for tensor in node.input_tensors]
        output = number[id(node.outputs[0])]
        layer = node.operation
        is_learned = isinstance(layer, (*WEIGHTED, layers.BatchNormalization))
        if is_learned or any(each in learned for each in inputs):
            learned.add(output)
            nodes.append(Node(layer, inputs, output))
            _check(layer, model)
    ends = {each for node in nodes for each in node.inputs if each not in learned}
    return RelevanceGraph(nodes, tensors, frozenset(ends), *_norms(nodes))


def _norms(
    nodes: Sequence[Node],
) -> tuple[dict[int, layers.BatchNormalization], frozenset[int]]:
    made_by = {node.output: node for node in nodes}
    takers: dict[int, list[Node]] = {}
    for node in nodes:
        for each in node.inputs:
            takers.setdefault(each, []).append(node)
    folded, shifted = {}, set()
    for node in nodes:
        if not isinstance(node.layer, layers.BatchNormalization):
            continue
        (before,) = node.inputs
        source = made_by.get(before)
        after = takers.get(node.output, [])
        if source and _is_affine(source.layer) and len(takers[before]) == 1:
            folded[before] = node.layer
        elif len(after) == 1 and _is_relu(after[0].layer):
            shifted.add(node.output)
    return folded, frozenset(shifted)


def _in_order(model: keras.Model) -> list[Any]:
    found = [n for _, same in sorted(model._nodes_by_depth.items(), reverse=True) for n in same]
    return [node for node in found if not node.is_input]


def _is_affine(layer: layers.Layer) -> bool:
    return isinstance(layer, WEIGHTED) and layer.activation is keras.activations.linear


def _is_relu(layer: layers.Layer) -> bool:
    return isinstance(layer, (layers.ReLU, layers.Activation)) and relu_limit(layer) is not None


def _check(layer: layers.Layer, model: keras.Model) -> None:
    if isinstance(layer, WEIGHTED):
        known = _is_affine(layer) or relu_limit(layer) is not None
    else:
        known = isinstance(layer, (*HOMOGENEOUS, layers.BatchNormalization)) or _is_relu(layer)
        # InceptionResNetV2's sum of a branch and a share of another, which Keras does not export.
        known = known or type(layer).__name__ == "CustomScaleLayer"
    if not known:
        raise SettingError(
            f"There is no agreed rule of LRP for a layer. Received: {layer.name} "
            f"({type(layer).__name__}) of {model.name}. Use gradcam, integrated_gradients or "
            "occlusion, which hold for any network."
        )
