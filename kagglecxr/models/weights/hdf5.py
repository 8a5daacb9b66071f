"""Weights files in HDF5: saved atomically, and read layer by layer without loading a model."""

import math
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import keras
import numpy as np
from keras import layers

from kagglecxr.core.errors import WeightsError
from kagglecxr.core.files import atomic_write, ensure_disk_space
from kagglecxr.core.run_record import WEIGHTS


@dataclass(frozen=True)
class StoredLayer:
    """The tensors of a layer in an open file, by its key there and its name when it was saved."""

    key: str
    name: str
    tensors: list[h5py.Dataset]


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
            f"{path} for {model} ({' '.join(str(error).split())[:160]}). {_advice(path)}"
        ) from error


def _advice(path: Path) -> str:
    if path.name == WEIGHTS:
        record = path.parent.with_name("run.json")
        return (
            f"If a run wrote it, remove {path.parent} and {record}, and run the command that "
            "trained it: other folds are not trained again."
        )
    return "Download it again; use a .weights.h5, or an .h5 as Keras downloads it."


def read_layers(file: h5py.File) -> tuple[list[StoredLayer], bool]:
    """Returns the layers with tensors, and whether they are matched by order instead of by key.

    Keras 2's files, such as ImageNet weights, hold layers in the order of the model.

    Raises:
        KeyError: the file has neither Keras 2's nor Keras 3's format.
    """
    if "layers" in file:
        return list(_by_key(file["layers"])), False
    # A whole Keras 2 model has its weights one group deeper.
    return list(_by_order(file.get("model_weights", file))), True


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
        found = [group[path] for path in sorted(inside, key=_natural)]
        if tensors := [item for item in found if isinstance(item, h5py.Dataset)]:
            name = str(group["vars"].attrs.get("name", key)) if "vars" in group else key
            yield StoredLayer(key, name, tensors)


def _by_order(root: h5py.Group) -> Iterator[StoredLayer]:
    for name in _attribute(root, "layer_names"):
        if tensors := [root[name][path] for path in _attribute(root[name], "weight_names")]:
            yield StoredLayer(name, name, tensors)


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
    """Writes a `.weights.h5` atomically, with or without the optimizer's state.

    Raises:
        DiskSpaceError: there is not enough disk space.
    """
    if not optimizer:
        model = without_optimizer(model)
    # Only a compiled model has the attribute.
    state = getattr(model, "optimizer", None)
    variables = [*model.variables, *(state.variables if state else [])]
    needed = sum(math.prod(v.shape) * np.dtype(v.dtype).itemsize for v in variables)
    ensure_disk_space(path.parent, int(needed) + 2**20, path.name)
    with atomic_write(path) as temporary:
        model.save_weights(temporary)


def without_optimizer(model: keras.Model) -> keras.Model:
    """Returns an uncompiled model of the same layers, so that no optimizer state is saved."""
    return keras.Model(model.inputs, model.outputs, name=model.name)
