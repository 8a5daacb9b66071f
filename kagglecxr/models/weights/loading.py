"""Loads weights into the part of a model they fit, and reports what was not used."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import keras
import numpy as np
from keras import layers

from kagglecxr.core.errors import WeightsError, shorten
from kagglecxr.models.weights.hdf5 import (
    StoredLayer,
    layer_keys,
    open_weights,
    read_layers,
    without_optimizer,
)


@dataclass(frozen=True)
class ModelParts:
    """A model and its parts, which share its layers and into which weights can be loaded.

    Attributes:
        backbone: the part below the head; a file of the whole model must fit all of it.
        imagenet: the part that ImageNet weights are for; the backbone in most models.
        lungs: the U-Net in front, or None.
    """

    model: keras.Model
    backbone: keras.Model
    imagenet: keras.Model
    lungs: keras.Model | None = None


@dataclass(frozen=True)
class LoadReport:
    """What was loaded from a weights file.

    Attributes:
        unused: layers of the file that the part does not have.
        not_loaded: layers of the part that the file lacks or has with other shapes.
    """

    unused: tuple[str, ...] = ()
    not_loaded: tuple[str, ...] = ()

    def problems(self) -> str:
        """Describes the layers that were not loaded or not used; empty if there are none."""
        found = []
        if self.unused:
            some = shorten(list(self.unused))
            found.append(f"of the file, {len(self.unused)} layers were not used: {some}")
        if self.not_loaded:
            found.append(f"it has nothing for {shorten(list(self.not_loaded))}")
        return "; ".join(found)


def load_weights(model: keras.Model, path: Path) -> None:
    """Loads a weights file of exactly this model.

    Raises:
        WeightsError: the file belongs to another model or is damaged.
    """
    loaded = load_pretrained(ModelParts(model, model, model), path)
    if loaded.unused:
        raise _misfit(model, path, loaded.problems())


def load_mean_weights(model: keras.Model, paths: Sequence[Path]) -> None:
    """Loads the mean of weights files of exactly this model, summed in double precision.

    Raises:
        WeightsError: a file belongs to another model or is damaged.
    """
    total = [np.zeros(weight.shape, np.float64) for weight in model.get_weights()]
    # The files may be without an optimizer's state, which a compiled model would ask for.
    bare = without_optimizer(model)
    for path in paths:
        load_weights(bare, path)
        total = [one + other for one, other in zip(total, model.get_weights(), strict=True)]
    model.set_weights([sum_ / len(paths) for sum_ in total])


def load_pretrained(parts: ModelParts, path: Path) -> LoadReport:
    """Loads a weights file into the part of a model that it fits.

    Args:
        parts: the model and its parts.
        path: a Keras 3 `.weights.h5` of this model with any head, or of the `unet_bn` in front of
            it; or an `.h5` as Keras downloads it.

    Raises:
        WeightsError: the file fits no part or is damaged; nothing has been loaded.
    """
    with open_weights(path, parts.model.name) as file:
        stored, in_order = read_layers(file)
        first = (parts.imagenet,) * 2 if in_order else (parts.model, parts.backbone)
        candidates = [first, (parts.lungs, parts.lungs)] if parts.lungs else [first]
        reasons = []
        for part, required in candidates:
            matched = _matched(stored, part, in_order)
            bare = [layer.name for layer in _weighty(required) if id(layer) not in matched]
            if not bare:
                return _load(file, stored, part, matched, in_order)
            reasons.append(f"it has nothing for {len(bare)} layers of it: {shorten(bare)}")
    raise _misfit(parts.model, path, reasons[0])


def _weighty(model: keras.Model) -> list[layers.Layer]:
    return [layer for layer in model.layers if layer.weights]


def _matched(
    stored: list[StoredLayer], part: keras.Model, in_order: bool
) -> dict[int, StoredLayer]:
    """Returns the stored layer that fits each layer of a part, by the layer's id."""
    if in_order:
        pairs = list(zip(_weighty(part), stored, strict=False))
    else:
        by_key = {kept.key: kept for kept in stored}
        pairs = [(layer, by_key[key]) for key, layer in layer_keys(part) if key in by_key]
    # Shapes are sorted, since inside nested blocks the two file formats differ in order.
    return {id(one): kept for one, kept in pairs if _shapes(one.weights) == _shapes(kept.tensors)}


def _shapes(tensors: Sequence[keras.Variable | h5py.Dataset]) -> list[tuple[int, ...]]:
    return sorted(tuple(tensor.shape) for tensor in tensors)


def _load(
    file: h5py.File,
    stored: list[StoredLayer],
    part: keras.Model,
    matched: dict[int, StoredLayer],
    in_order: bool,
) -> LoadReport:
    used = {kept.key for kept in matched.values()}
    loaded = LoadReport(
        tuple(kept.name for kept in stored if kept.key not in used),
        tuple(layer.name for layer in _weighty(part) if id(layer) not in matched),
    )
    if in_order:
        # ImageNet's statistics are set already: see set_imagenet_statistics.
        found = [one for one in _weighty(part) if not isinstance(one, layers.Normalization)]
        # All are read before the first is assigned: a damaged file leaves the model unchanged.
        read = [[np.asarray(tensor) for tensor in matched[id(one)].tensors] for one in found]
        for layer, values in zip(found, read, strict=True):
            # Keras 2's files have trainable variables first.
            variables = [*layer.trainable_weights, *layer.non_trainable_weights]
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        return loaded
    with warnings.catch_warnings():
        # The caller reports layers without weights; any other warning of Keras is an error.
        warnings.simplefilter("ignore" if loaded.not_loaded else "error", UserWarning)
        part.load_weights(file.filename, skip_mismatch=bool(loaded.not_loaded))
    return loaded


def _misfit(model: keras.Model, path: Path, reason: str) -> WeightsError:
    return WeightsError(
        f"A weights file does not fit {model.name}. Received: {path} ({reason}). Use a file of "
        "this model or of its backbone."
    )
