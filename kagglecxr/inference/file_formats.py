"""The kinds of file a whole model is exported to."""

import contextlib
import importlib.util
import json
import logging
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import keras

from kagglecxr.core.errors import MissingError, SettingError
from kagglecxr.core.registry import Registry

CLASSES = "classes.txt"
"""Where a .tflite file, which has no layers to ask, holds the names of its outputs."""


@dataclass(frozen=True)
class FileFormat:
    """A kind of file.

    Attributes:
        suffix: of its files, with the dot.
        write: writes a model whose last layer is `ClassProbabilities`.
        use: how the file is used; `{path}` stands for it.
    """

    suffix: str
    write: Callable[[keras.Model, Path], None]
    use: str


FORMATS = Registry[FileFormat]("format of an exported file")


def format_of(name: str | None, path: Path | None) -> FileFormat:
    """The format of a name, or of a file's suffix; Keras' own where there is neither.

    Raises:
        UnknownNameError: there is no such format; the nearest three are given.
        SettingError: the file's suffix is another format's.
    """
    found = FORMATS[name or (path.suffix.removeprefix(".") if path else "") or "keras"]
    if path and path.suffix != found.suffix:
        raise SettingError(
            f"A file's suffix is not that of its format. Received: {path} for {name}. Name it "
            f"{path.with_suffix(found.suffix)}, or leave out --format."
        )
    return found


def _save(model: keras.Model, path: Path) -> None:
    with _without_notes():
        model.save(path)


def _to_tflite(model: keras.Model, path: Path) -> None:
    if keras.backend.backend() != "tensorflow":
        raise SettingError(
            "Keras converts to tflite on TensorFlow alone. Received: the backend "
            f"{keras.backend.backend()}. Run with KERAS_BACKEND=tensorflow."
        )
    with _without_notes():
        model.export(path, format="litert", verbose=False)
    # After the model, where TensorFlow Lite's own tools put files that belong to it.
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(CLASSES, "\n".join(model.layers[-1].classes) + "\n")


def _to_onnx(model: keras.Model, path: Path) -> None:
    needed = {"tensorflow": "tf2onnx", "jax": "jax2onnx", "torch": "onnxscript"}
    package = needed[keras.backend.backend()]
    if importlib.util.find_spec(package) is None or importlib.util.find_spec("onnx") is None:
        raise MissingError(
            f"Keras converts to ONNX by a package that is not installed. Received: format onnx, "
            f"which needs {package}. Run: pip install 'kagglecxr[export]'"
        )
    import onnx

    with _without_notes():
        model.export(path, format="onnx", verbose=False)
    proto = onnx.load(path)
    last = model.layers[-1]
    onnx.helper.set_model_props(proto, {"classes": json.dumps(last.classes), "origin": last.origin})
    onnx.save(proto, path)


FORMATS.add_as("keras")(
    FileFormat(
        ".keras",
        _save,
        'import kagglecxr, keras; keras.saving.load_model("{path}").predict(images)',
    )
)
FORMATS.add_as("h5")(
    FileFormat(
        ".h5",
        _save,
        'import kagglecxr, keras; keras.saving.load_model("{path}").predict(images)',
    )
)
FORMATS.add_as("tflite")(
    FileFormat(
        ".tflite",
        _to_tflite,
        'from ai_edge_litert.interpreter import Interpreter; Interpreter("{path}")',
    )
)
FORMATS.add_as("onnx")(
    FileFormat(".onnx", _to_onnx, 'import onnxruntime; onnxruntime.InferenceSession("{path}")')
)


@contextlib.contextmanager
def _without_notes() -> Iterator[None]:
    """Silences what Keras and converters say of their own ways: no user can mend it."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
