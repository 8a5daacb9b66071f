"""Loads weights into the part of a model they fit, and says what was not used."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import h5py
import keras
from keras import layers

from kagglecxr.core.errors import WeightsError, shorten
from kagglecxr.models.weights.hdf5 import (
    StoredLayer,
    StoredLayout,
    layer_keys,
    open_weights,
    read_layout,
    read_tensors,
)


@dataclass(frozen=True)
class ModelParts:
    """A model, and models that share its layers, into which weights can go.

    Attributes:
        model: the whole.
        backbone: what stands below the head; a file of the whole model has to fit all of it.
        imagenet: what ImageNet weights are for; the backbone in most models.
        lungs: the U-Net in front, or None.
    """

    model: keras.Model
    backbone: keras.Model
    imagenet: keras.Model
    lungs: keras.Model | None = None


@dataclass(frozen=True)
class LoadReport:
    """What became of a weights file's tensors.

    Attributes:
        part: the name of the part of the model they went into.
        unused: layers of the file that the part does not have.
        left_to_chance: layers of the part that the file lacks, or has in another shape.
    """

    part: str
    unused: tuple[str, ...] = ()
    left_to_chance: tuple[str, ...] = ()

    def complaint(self) -> str:
        """What a user should know of it; empty where every tensor was used."""
        told = []
        if self.unused:
            some = shorten(list(self.unused))
            told.append(f"of the file, {len(self.unused)} layers were not used: {some}")
        if self.left_to_chance:
            told.append(f"it has nothing for {shorten(list(self.left_to_chance))}")
        return "; ".join(told)


def load_weights(model: keras.Model, path: Path) -> None:
    """Loads the weights file of this very model.

    Raises:
        WeightsError: the file belongs to another model, or is damaged.
    """
    loaded = load_pretrained(ModelParts(model, model, model), path)
    if loaded.unused:
        raise _misfit(model, path, loaded.complaint())


def load_pretrained(parts: ModelParts, path: Path) -> LoadReport:
    """Loads a weights file into the part of a model that it fits.

    Args:
        parts: of the model.
        path: a `.weights.h5` of Keras 3, of this model with any head or of a `unet_bn` in front
            of it; or an `.h5` as Keras downloads it.

    Raises:
        WeightsError: the file fits no part, or is damaged; nothing has been loaded.
    """
    with open_weights(path, parts.model.name) as file:
        stored = read_layout(file)
        first = (parts.imagenet,) * 2 if stored.in_order else (parts.model, parts.backbone)
        candidates = [first, (parts.lungs, parts.lungs)] if parts.lungs else [first]
        reasons = []
        for part, required in candidates:
            matched = _matched(stored, part)
            bare = [layer.name for layer in _weighty(required) if id(layer) not in matched]
            if not bare:
                return _load(file, stored, part, matched)
            reasons.append(f"it has nothing for {len(bare)} layers of it: {shorten(bare)}")
    raise _misfit(parts.model, path, reasons[0])


def _weighty(model: keras.Model) -> list[layers.Layer]:
    return [layer for layer in model.layers if layer.weights]


def _ordered(layer: layers.Layer) -> list[keras.Variable]:
    """A layer's variables in the order of Keras 2's files, in which the trainable come first."""
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def _matched(stored: StoredLayout, part: keras.Model) -> dict[int, StoredLayer]:
    """The stored layer that fits each layer of a part, by the layer's identity."""
    if stored.in_order:
        pairs = list(zip(_weighty(part), stored.layers, strict=False))
    else:
        by_key = {kept.key: kept for kept in stored.layers}
        pairs = [(layer, by_key[key]) for key, layer in layer_keys(part) if key in by_key]
    return {id(layer): kept for layer, kept in pairs if _fits(layer, kept)}


def _fits(layer: layers.Layer, kept: StoredLayer) -> bool:
    # Sorted, because inside a nested block the two file forms have orders of their own.
    return sorted(tuple(v.shape) for v in layer.weights) == sorted(kept.shapes)


def _load(
    file: h5py.File, stored: StoredLayout, part: keras.Model, matched: dict[int, StoredLayer]
) -> LoadReport:
    used = {kept.key for kept in matched.values()}
    loaded = LoadReport(
        part.name,
        tuple(kept.name for kept in stored.layers if kept.key not in used),
        tuple(layer.name for layer in _weighty(part) if id(layer) not in matched),
    )
    if stored.in_order:
        # All are read before the first is set: a damaged file leaves the model as it was.
        read = [(layer, read_tensors(file, matched[id(layer)])) for layer in _weighty(part)]
        for layer, tensors in read:
            # The colours of ImageNet are built in: see set_imagenet_statistics.
            if not isinstance(layer, layers.Normalization):
                for variable, value in zip(_ordered(layer), tensors, strict=True):
                    variable.assign(value)
        return loaded
    with warnings.catch_warnings():
        # What is left to chance is told by the caller; of anything else Keras only warns.
        warnings.simplefilter("ignore" if loaded.left_to_chance else "error", UserWarning)
        part.load_weights(file.filename, skip_mismatch=bool(loaded.left_to_chance))
    return loaded


def _misfit(model: keras.Model, path: Path, reason: str) -> WeightsError:
    return WeightsError(
        f"A weights file does not fit {model.name}. Received: {path} ({reason}). Name a file of "
        "this very model, or of its backbone."
    )
