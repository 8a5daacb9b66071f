"""The kinds of file a whole model is exported to."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras

from kagglecxr.core.errors import MissingError, SettingError
from kagglecxr.core.registry import Registry
from kagglecxr.inference.export import converted_files, keras_files
from kagglecxr.inference.export.keras_files import PredictFunction


@dataclass(frozen=True)
class FileFormat:
    """A kind of file.

    Attributes:
        suffix: of its files, with the dot.
        writes: the package that writes them.
        reads: the package that reads them.
        write: writes a model whose last layer is `LabeledOutput`.
        opened: what a file answers.
        use: how a file is opened; `{path}` stands for it.
    """

    suffix: str
    writes: str
    reads: str
    write: Callable[[keras.Model, Path], None]
    opened: Callable[[Path], PredictFunction]
    use: str

    @property
    def can_be_read(self) -> bool:
        """Whether the package that reads the files is installed."""
        return importlib.util.find_spec(self.reads) is not None

    def check(self) -> None:
        """Refuses a format that cannot be written here.

        Raises:
            MissingError: a package is not installed.
            SettingError: Keras writes it on another backend only.
        """
        backend = keras.backend.backend()
        if self.writes != "keras" and backend != "tensorflow":
            raise SettingError(
                f"Such a file is written on TensorFlow alone. Received: {self.suffix} on "
                f"{backend}. Run with KERAS_BACKEND=tensorflow."
            )
        if importlib.util.find_spec(self.writes) is None:
            raise MissingError(
                f"A package that writes such files is not installed. Received: {self.suffix}, "
                f"which needs {self.writes}. Run: pip install 'kagglecxr[export]'"
            )


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


_BY_KERAS = 'import kagglecxr.models.layers, keras; keras.saving.load_model("{path}")'
FORMATS.add_as("keras")(
    FileFormat(
        ".keras", "keras", "keras", keras_files.save_keras, keras_files.load_keras, _BY_KERAS
    )
)
FORMATS.add_as("h5")(
    FileFormat(".h5", "keras", "keras", keras_files.save_h5, keras_files.load_keras, _BY_KERAS)
)
FORMATS.add_as("tflite")(
    FileFormat(
        ".tflite",
        "tensorflow",
        "ai_edge_litert",
        converted_files.save_tflite,
        converted_files.load_tflite,
        'from ai_edge_litert.interpreter import Interpreter; Interpreter("{path}")',
    )
)
FORMATS.add_as("onnx")(
    FileFormat(
        ".onnx",
        "tf2onnx",
        "onnxruntime",
        converted_files.save_onnx,
        converted_files.load_onnx,
        'import onnxruntime; onnxruntime.InferenceSession("{path}")',
    )
)
