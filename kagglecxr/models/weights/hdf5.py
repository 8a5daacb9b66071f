"""Weights files in HDF5: saved atomically, and read layer by layer without building a model."""

import math
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from kagglecxr.core.errors import WeightsError
from kagglecxr.core.files import assert_room, atomic_write

Shape = tuple[int, ...]


@dataclass(frozen=True)
class StoredLayer:
    """One layer's tensors in a file.

    Attributes:
        key: what identifies it: a group's name, or the layer's own in Keras' older files.
        name: the layer's name when it was saved.
        tensors: paths in the file, in the order in which Keras wrote them.
        shapes: of these tensors.
    """

    key: str
    name: str
    tensors: tuple[str, ...]
    shapes: tuple[Shape, ...]


@dataclass(frozen=True)
class StoredLayout:
    """A weights file's layers that have tensors.

    Attributes:
        layers: in the order of the model where `in_order`.
        in_order: whether it is a file of Keras 2's form, as ImageNet weights are, in which a
            layer is found by its place; in Keras 3's form it is found by its key.
    """

    layers: tuple[StoredLayer, ...]
    in_order: bool


@contextmanager
def open_weights(path: Path, model: str) -> Iterator[h5py.File]:
    """A weights file, opened to be read.

    Raises:
        WeightsError: it is damaged, cut off, or no HDF5 file.
    """
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError, ValueError, UserWarning) as error:
        raise WeightsError(
            f"A weights file cannot be read: it is damaged, cut off or of another form. Received: "
            f"{path} for {model} ({' '.join(str(error).split())[:160]}). Fetch it again; it has "
            "to be a .weights.h5, or an .h5 as Keras downloads them."
        ) from error


def read_layout(file: h5py.File) -> StoredLayout:
    """What an open weights file holds.

    Raises:
        KeyError: it is of neither form.
    """
    if "layers" in file:
        return StoredLayout(tuple(_by_key(file["layers"])), in_order=False)
    # A whole model of Keras 2 keeps its weights one group deeper.
    root = file.get("model_weights", file)
    return StoredLayout(tuple(_by_place(root)), in_order=True)


def read_tensors(file: h5py.File, layer: StoredLayer) -> list[npt.NDArray[Any]]:
    """The tensors of one layer."""
    return [np.asarray(file[path]) for path in layer.tensors]


def layer_keys(model: keras.Model) -> Iterator[tuple[str, layers.Layer]]:
    """The key of each layer in Keras 3's weights files: its class, counted in the model's order."""
    seen: Counter[str] = Counter()
    for layer in model.layers:
        # Keras' own rule for class names: BatchNormalization becomes batch_normalization.
        name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", type(layer).__name__)
        name = re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
        yield (f"{name}_{seen[name]}" if seen[name] else name), layer
        seen[name] += 1


def _by_key(root: h5py.Group) -> Iterator[StoredLayer]:
    for key, group in root.items():
        inside: list[str] = []
        group.visit(inside.append)
        paths = [f"{group.name}/{path}" for path in inside]
        tensors = [path for path in paths if isinstance(root[path], h5py.Dataset)]
        if tensors:
            name = str(group["vars"].attrs.get("name", key)) if "vars" in group else key
            yield _layer(root, key, name, sorted(tensors, key=_natural))


def _by_place(root: h5py.Group) -> Iterator[StoredLayer]:
    for name in _attribute(root, "layer_names"):
        tensors = [f"{root[name].name}/{path}" for path in _attribute(root[name], "weight_names")]
        if tensors:
            yield _layer(root, name, name, tensors)


def _layer(root: h5py.Group, key: str, name: str, tensors: list[str]) -> StoredLayer:
    shapes = tuple(tuple(int(n) for n in root[path].shape) for path in tensors)
    return StoredLayer(key, name, tuple(tensors), shapes)


def _attribute(group: h5py.Group, name: str) -> list[str]:
    # HDF5 holds at most 64 KiB in an attribute: Keras cuts longer lists into name0, name1, ...
    parts = (
        [name]
        if name in group.attrs
        else sorted((key for key in group.attrs if re.fullmatch(rf"{name}\d+", key)), key=_natural)
    )
    if not parts:
        raise KeyError(f"no {name} in {group.name}")
    texts = [text for part in parts for text in group.attrs[part]]
    return [text.decode() if isinstance(text, bytes) else str(text) for text in texts]


def _natural(path: str) -> list[tuple[int, str]]:
    return [(int(part) if part.isdigit() else -1, part) for part in re.split(r"(\d+)", path)]


def save_weights(model: keras.Model, path: Path, *, optimizer: bool = True) -> None:
    """Writes a `.weights.h5`, whole or not at all.

    Args:
        model: whose weights.
        path: the file.
        optimizer: whether the optimiser's state is kept too, if the model is compiled.

    Raises:
        OSError: the disk is full.
    """
    if not optimizer:
        model = without_optimizer(model)
    # Only a compiled model has the attribute at all.
    state = getattr(model, "optimizer", None)
    kept = [*model.variables, *(state.variables if state else [])]
    overhead = 2**20
    assert_room(path.parent, sum(_bytes(variable) for variable in kept) + overhead)
    with atomic_write(path) as beside:
        model.save_weights(beside)


def without_optimizer(model: keras.Model) -> keras.Model:
    """The same layers as a model that was never compiled, and so has no optimiser to keep."""
    return keras.Model(model.inputs, model.outputs, name=model.name)


def _bytes(variable: keras.Variable) -> int:
    return int(math.prod(variable.shape) * np.dtype(variable.dtype).itemsize)
