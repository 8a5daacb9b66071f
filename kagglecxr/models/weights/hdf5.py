"""Weights files in HDF5: saved atomically, and read layer by layer without loading a model."""

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

from kagglecxr.core.disk import ensure_disk_space
from kagglecxr.core.errors import WeightsError
from kagglecxr.core.files import atomic_write

Shape = tuple[int, ...]


@dataclass(frozen=True)
class StoredLayer:
    """A layer's tensors in a file.

    Attributes:
        key: its identifier: the group's name, or in Keras 2's files the layer's name.
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
    """The layers of a weights file that have tensors.

    Attributes:
        layers: in the order of the model if `in_order`.
        in_order: True for a file in Keras 2's format, such as ImageNet weights, whose layers are
            matched by order; in Keras 3's format they are matched by key.
    """

    layers: tuple[StoredLayer, ...]
    in_order: bool


@contextmanager
def open_weights(path: Path, model: str) -> Iterator[h5py.File]:
    """Opens a weights file for reading.

    Raises:
        WeightsError: it is damaged, truncated, or no HDF5 file.
    """
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError, ValueError, UserWarning) as error:
        raise WeightsError(
            "A weights file is damaged, truncated or of another format. Received: "
            f"{path} for {model} ({' '.join(str(error).split())[:160]}). Download it again; "
            "use a .weights.h5, or an .h5 as Keras downloads it."
        ) from error


def read_layout(file: h5py.File) -> StoredLayout:
    """Returns the layers of an open weights file.

    Raises:
        KeyError: it has neither format.
    """
    if "layers" in file:
        return StoredLayout(tuple(_by_key(file["layers"])), in_order=False)
    # A whole Keras 2 model has its weights one group deeper.
    root = file.get("model_weights", file)
    return StoredLayout(tuple(_by_order(root)), in_order=True)


def read_tensors(file: h5py.File, layer: StoredLayer) -> list[npt.NDArray[Any]]:
    """Returns the tensors of one layer."""
    return [np.asarray(file[path]) for path in layer.tensors]


def layer_keys(model: keras.Model) -> Iterator[tuple[str, layers.Layer]]:
    """Yields each layer and its key in Keras 3's files: its class name, numbered in order."""
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


def _by_order(root: h5py.Group) -> Iterator[StoredLayer]:
    for name in _attribute(root, "layer_names"):
        tensors = [f"{root[name].name}/{path}" for path in _attribute(root[name], "weight_names")]
        if tensors:
            yield _layer(root, name, name, tensors)


def _layer(root: h5py.Group, key: str, name: str, tensors: list[str]) -> StoredLayer:
    shapes = tuple(tuple(int(n) for n in root[path].shape) for path in tensors)
    return StoredLayer(key, name, tuple(tensors), shapes)


def _attribute(group: h5py.Group, name: str) -> list[str]:
    # HDF5 attributes hold at most 64 KiB: Keras splits longer lists into name0, name1, ...
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
    """Writes a `.weights.h5` atomically.

    Args:
        model: the model.
        path: the file.
        optimizer: whether to include the optimizer's state, if the model is compiled.

    Raises:
        DiskSpaceError: there is not enough disk space.
    """
    if not optimizer:
        model = without_optimizer(model)
    # Only a compiled model has the attribute at all.
    state = getattr(model, "optimizer", None)
    kept = [*model.variables, *(state.variables if state else [])]
    overhead = 2**20
    ensure_disk_space(path.parent, sum(map(_bytes, kept)) + overhead, path.name)
    with atomic_write(path) as temporary:
        model.save_weights(temporary)


def without_optimizer(model: keras.Model) -> keras.Model:
    """Returns an uncompiled model of the same layers, so that no optimizer state is saved."""
    return keras.Model(model.inputs, model.outputs, name=model.name)


def _bytes(variable: keras.Variable) -> int:
    return int(math.prod(variable.shape) * np.dtype(variable.dtype).itemsize)
