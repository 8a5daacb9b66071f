"""Layer-wise relevance propagation (Bach et al. 2015): a score shared out among the pixels.

Relevance ends at the image as the network scales it: a black border may well speak for a class,
which a map that is multiplied with grey values from 0 would never show.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops

from kagglecxr.saliency.affine_parts import WEIGHTED, Affine, affine_parts, scale_and_shift
from kagglecxr.saliency.backend import Array, pull_back
from kagglecxr.saliency.explained_model import ExplainedModel, Targets, of_targets
from kagglecxr.saliency.relevance_graph import Node, RelevanceGraph, relevance_graph

EPSILON = 0.25
ALPHA = 2.0
_BATCH = 4


@dataclass(frozen=True)
class Relevance:
    """Relevance of pixels (N, H, W), signed, and of what is no pixel, (N,).

    That is of all biases together, and of units that are 0, which have nothing to pass on: behind
    a shifted ReLU they count.
    """

    pixels: Array
    biases: Array


Sums = npt.NDArray[np.float64]
Rule = Callable[[Affine, Array, Array, Array], tuple[Array, Sums]]
"""From an affine map, its input, the part of its input that is a constant, and the relevance of its
output to that of its input and of its bias (N,)."""


def lrp_zero(explained: ExplainedModel, images: Array, targets: Targets) -> Array:
    """LRP-0 (Bach et al. 2015, equation 56): shares in proportion to what each input adds.

    In a network of ReLUs that is the gradient times the scaled image.

    Raises:
        SettingError: the network has a layer for which there is no rule.
    """
    return propagate(explained, images, targets, _zero).pixels


def lrp_epsilon(explained: ExplainedModel, images: Array, targets: Targets) -> Array:
    """LRP-epsilon (Bach et al. 2015, equation 58), which leaves out what is small and opposed.

    Epsilon is a quarter of a layer's root mean square (Montavon et al. 2019, section 10.3).
    """
    return propagate(explained, images, targets, _epsilon).pixels


def lrp_alpha_beta(explained: ExplainedModel, images: Array, targets: Targets) -> Array:
    """LRP-alpha2-beta1 (Bach et al. 2015, equation 60): shares of what is for and of what against.

    Where a unit has nothing on one side, the other side has all of its relevance.

    It depends little on the last layers (Sixt et al. 2020): a picture, and no evidence.
    """
    return propagate(explained, images, targets, _alpha_beta).pixels


def propagate(explained: ExplainedModel, images: Array, targets: Targets, rule: Rule) -> Relevance:
    """Propagates the logits of targets back to the pixels by one rule for all weighted layers."""
    graph = relevance_graph(explained.scores)
    tensors = keras.Model(explained.scores.input, list(graph.tensors))
    parts = [
        _propagate_batch(graph, tensors, images[n : n + _BATCH], targets[n : n + _BATCH], rule)
        for n in range(0, len(images), _BATCH)
    ]
    return Relevance(
        np.concatenate([part.pixels for part in parts]),
        np.concatenate([part.biases for part in parts]),
    )


def _propagate_batch(
    graph: RelevanceGraph, tensors: keras.Model, images: Array, targets: Targets, rule: Rule
) -> Relevance:
    values = [ops.convert_to_numpy(each) for each in tensors(images, training=False)]
    constant = _constants(graph, values)
    last = graph.nodes[-1].output
    _, (start,) = pull_back(lambda x: of_targets(x, targets), [values[last]], np.ones_like)
    relevance = {last: start * values[last]}
    biases = np.zeros(len(images), np.float64)
    for node in reversed(graph.nodes):
        if node.output not in relevance:
            continue
        found, absorbed = _through(node, graph, values, constant, relevance.pop(node.output), rule)
        biases += absorbed
        for number, share in zip(node.inputs, found, strict=True):
            relevance[number] = relevance.get(number, 0) + share
    size = (images.shape[2], images.shape[1])
    # Some networks resize the image first: relevance is spread, and its sum kept.
    ends = [_resized(relevance[each].sum(axis=-1), size) for each in graph.ends]
    return Relevance(np.sum(ends, axis=0, dtype=np.float32), biases.astype(np.float32))


def _through(
    node: Node,
    graph: RelevanceGraph,
    values: list[Array],
    constant: dict[int, Array],
    relevance: Array,
    rule: Rule,
) -> tuple[list[Array], Sums]:
    """The relevance of a node's inputs, and of its bias (N,)."""
    layer, nothing = node.layer, np.zeros(len(relevance), np.float64)
    inputs = [values[each] for each in node.inputs]
    constants = [constant.get(each, np.zeros_like(values[each][:1])) for each in node.inputs]
    if isinstance(layer, layers.BatchNormalization):
        if node.output in graph.shifted or node.inputs[0] in graph.folded:
            return [relevance], nothing
        scaled = Affine(lambda x, k: x * k, *scale_and_shift(layer))
        found, absorbed = _zero(scaled, inputs[0], constants[0], relevance)
        return [found], absorbed
    if isinstance(layer, WEIGHTED):
        parts = affine_parts(layer)
        if node.output in graph.folded:
            parts[-1] = parts[-1].folded(graph.folded[node.output])
        between = [inputs[0]]
        for part in parts[:-1]:
            between.append(ops.convert_to_numpy(part.apply(between[-1], part.kernel)) + part.bias)
        absorbed = nothing
        for part, x in zip(reversed(parts), reversed(between), strict=True):
            first = constants[0] if x is inputs[0] else np.zeros_like(x[:1])
            relevance, share = rule(part, x, first, relevance)
            absorbed = absorbed + share
        return [relevance], absorbed
    if isinstance(layer, (layers.ReLU, layers.Activation)):
        return [relevance], nothing
    varying = [x - c for x, c in zip(inputs, constants, strict=True)]
    call = (lambda *x: layer(list(x))) if len(inputs) > 1 else layer
    z, shares = pull_back(call, varying, lambda z: _ratio(relevance, z))
    return [x * share for x, share in zip(varying, shares, strict=True)], _of_none(relevance, z)


def _constants(graph: RelevanceGraph, values: list[Array]) -> dict[int, Array]:
    """What shifted ReLUs add to tensors whatever the image is, (1, ...), by tensor."""
    found: dict[int, Array] = {}
    shifts: dict[int, Array] = {}
    for node in graph.nodes:
        if node.output in graph.shifted:
            shape = (1, *values[node.output].shape[1:])
            shifts[node.output] = np.broadcast_to(scale_and_shift(node.layer)[1], shape)
        elif node.inputs[0] in shifts:
            found[node.output] = shifts[node.inputs[0]]
        elif any(each in found for each in node.inputs) and not isinstance(
            node.layer, (*WEIGHTED, layers.BatchNormalization)
        ):
            inputs = [found.get(n, np.zeros_like(values[n][:1])) for n in node.inputs]
            passed = node.layer(inputs if len(inputs) > 1 else inputs[0])
            found[node.output] = ops.convert_to_numpy(passed)
    return found


def _zero(part: Affine, x: Array, constant: Array, relevance: Array) -> tuple[Array, Sums]:
    return _share(part, x, constant, relevance, 0.0)


def _epsilon(part: Affine, x: Array, constant: Array, relevance: Array) -> tuple[Array, Sums]:
    return _share(part, x, constant, relevance, EPSILON)


def _share(
    part: Affine, x: Array, constant: Array, relevance: Array, epsilon: float
) -> tuple[Array, Sums]:
    z = ops.convert_to_numpy(part.apply(x, part.kernel)) + part.bias
    axes = tuple(range(1, z.ndim))
    size = epsilon * np.sqrt((z**2).mean(axis=axes, keepdims=True))
    ratio = _ratio(relevance, z + np.where(z < 0, -size, size))
    varying = x - constant
    from_input, (share,) = pull_back(
        lambda at: part.apply(at, part.kernel), [varying], lambda _: ratio
    )
    absorbed = ((z - from_input) * ratio).sum(axis=axes, dtype=np.float64)
    return varying * share, absorbed + _of_none(relevance, z)


def _alpha_beta(part: Affine, x: Array, constant: Array, relevance: Array) -> tuple[Array, Sums]:
    varying = x - constant
    fixed = ops.convert_to_numpy(part.apply(constant, part.kernel)) + part.bias
    found, absorbed = np.zeros_like(x), np.zeros(len(x), np.float64)
    axes = tuple(range(1, relevance.ndim))
    sides = [np.maximum(varying, 0), np.minimum(varying, 0)]
    kernels = [np.maximum(part.kernel, 0), np.minimum(part.kernel, 0)]
    both = []
    for pairs, bias in (
        ([(0, 0), (1, 1)], np.maximum(fixed, 0)),
        ([(0, 1), (1, 0)], np.minimum(fixed, 0)),
    ):
        chosen = [(sides[side], kernels[kernel]) for side, kernel in pairs]
        z = sum(ops.convert_to_numpy(part.apply(a, k)) for a, k in chosen) + bias
        both.append((chosen, bias, z))
    (_, _, z_for), (_, _, z_against) = both
    absorbed += _of_none(relevance, z_for - z_against)
    for (chosen, bias, z), other, factor in (
        (both[0], z_against, ALPHA),
        (both[1], z_for, 1 - ALPHA),
    ):
        # Where nothing is on the other side this one has all, and nothing is lost.
        ratio = np.where(other != 0, factor, 1).astype(np.float32) * _ratio(relevance, z)
        absorbed += (bias * ratio).sum(axis=axes, dtype=np.float64)
        for a, k in chosen:
            found += a * _pulled_back(part, k, a, ratio)
    return found, absorbed


def _pulled_back(part: Affine, kernel: Array, x: Array, ratio: Array) -> Array:
    _, (share,) = pull_back(lambda at: part.apply(at, kernel), [x], lambda _: ratio)
    return share


def _ratio(relevance: Array, z: Array) -> Array:
    return np.asarray(np.where(z != 0, relevance / np.where(z != 0, z, 1), 0), np.float32)


def _of_none(relevance: Array, z: Array) -> Sums:
    """The relevance of units that are 0, (N,)."""
    lost = np.where(z == 0, relevance, 0)
    return np.asarray(lost.sum(axis=tuple(range(1, z.ndim)), dtype=np.float64))


def _resized(maps: Array, size: tuple[int, int]) -> Array:
    if maps.shape[1:] == size[::-1]:
        return maps
    share = maps[0].size / (size[0] * size[1])
    return np.stack([cv2.resize(one, size, interpolation=cv2.INTER_AREA) * share for one in maps])
