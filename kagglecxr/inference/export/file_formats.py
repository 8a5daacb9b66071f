"""The file formats of exported models: .keras, .h5, .tflite and .onnx."""

import importlib.util
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import layers

from kagglecxr.core.errors import DataError, MissingError, SettingError
from kagglecxr.core.registry import Registry
from kagglecxr.inference.export.exported_model import Array, ExportedModel, known_size
from kagglecxr.models.layers.pixel_operations import ImageNormalization
from kagglecxr.models.runtime import compiled_function, quiet_converters

CLASSES_FILE, STANDARDS_FILE, CARD_FILE = "classes.txt", "standards.json", "model_card.md"
SEVERAL_FILE = "several_labels"
"""The files inside a .tflite file, which keeps no layers: its outputs' names, and more of them."""


@dataclass(frozen=True)
class FileFormat:
    """A file format.

    Attributes:
        suffix: of its files, with the dot.
        writes: the package that writes them.
        reads: the package that reads them.
        save: writes a model whose last layer is a `LabeledOutput`.
        load: loads a file.
        usage: the Python code that opens a file; `{path}` stands for it.
    """

    suffix: str
    writes: str
    reads: str
    save: Callable[[keras.Model, Path], None]
    load: Callable[[Path], ExportedModel]
    usage: str

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
                f"Only TensorFlow writes this file format. Received: {self.suffix} on {backend}. "
                "Run with KERAS_BACKEND=tensorflow."
            )
        if importlib.util.find_spec(self.writes) is None:
            raise MissingError(
                f"The package that writes a file format is not installed. Received: "
                f"{self.suffix}, which needs {self.writes}. Run: pip install 'kagglecxr[export]'"
            )


FORMATS = Registry[FileFormat]("format of an exported file")


def load_export(path: Path) -> ExportedModel:
    """Loads an exported file.

    Raises:
        UnknownNameError: there is no format of its suffix.
        MissingError: the package that reads it is not installed.
        DataError: it cannot be read, or is none that `export` wrote.
    """
    file_format = format_of(None, path)
    if not file_format.can_be_read:
        raise MissingError(
            f"The package that reads an exported file is not installed. Received: {path}, which "
            f"needs {file_format.reads}. Run: pip install 'kagglecxr[export]'"
        )
    try:
        return file_format.load(path)
    except Exception as error:
        # Readers raise anything for a damaged file, or for a layer they do not know.
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"A file cannot be opened as a model that export wrote. Received: {path} ({reason}). "
            "Export the model again."
        ) from error


def is_export(path: Path) -> bool:
    """Returns whether a path is a file with the suffix of a format."""
    return path.suffix.removeprefix(".") in FORMATS and path.is_file()


def format_of(name: str | None, path: Path | None) -> FileFormat:
    """Finds the format by its name or a file's suffix; defaults to Keras' own.

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


def save_keras(model: keras.Model, path: Path) -> None:
    """Writes a .keras file."""
    model.save(path)


def save_h5(model: keras.Model, path: Path) -> None:
    """Writes an .h5 file; layers that the format does not keep are replaced by equal ones."""
    clone = keras.models.clone_model(model, clone_function=_h5_layer, recursive=True)
    clone.set_weights(model.get_weights())
    with quiet_converters():
        clone.save(path)


def _h5_layer(layer: layers.Layer) -> layers.Layer:
    config = layer.get_config()
    if type(layer) is layers.LayerNormalization and sorted(np.atleast_1d(layer.axis)) == [1, 2, 3]:
        del config["axis"]
        return ImageNormalization.from_config(config)
    return type(layer).from_config(config)


def load_keras(path: Path) -> ExportedModel:
    """Loads a .keras or .h5 file."""
    if path.suffix == ".keras" and not zipfile.is_zipfile(path):
        # Keras would say that it does not exist.
        raise ValueError("it is cut off, or no .keras file")
    with quiet_converters():
        model = keras.saving.load_model(path)
    last, size = model.layers[-1], known_size(*model.input_shape[1:3])
    function = compiled_function(_with_novelty(model))
    return ExportedModel(function, last.classes, size, last.standards, last.card, last.multilabel)


def _with_novelty(model: keras.Model) -> keras.Model:
    """Returns an exported model with how unusual images are as second output, where it knows."""
    known = model.layers[-1].input
    return keras.Model(model.input, known) if isinstance(known, list) else model


def save_tflite(model: keras.Model, path: Path) -> None:
    """Writes a .tflite file, whose input may have any size, with the classes in it."""
    with quiet_converters():
        _with_novelty(model).export(path, format="litert", verbose=False)
    last = model.layers[-1]
    # After the model, where TensorFlow Lite's own tools put the files that belong to it.
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(CLASSES_FILE, "\n".join(last.classes) + "\n")
        archive.writestr(STANDARDS_FILE, last.standards)
        archive.writestr(CARD_FILE, last.card)
        if last.multilabel:
            archive.writestr(SEVERAL_FILE, "")


def load_tflite(path: Path) -> ExportedModel:
    """Loads a .tflite file."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    # A delegate would write on stderr that it is there.
    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(str(path), experimental_op_resolver_type=resolver)
    (given,), returned = interpreter.get_input_details(), interpreter.get_output_details()

    def predict(images: Array) -> list[Array]:
        interpreter.resize_tensor_input(given["index"], images.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(given["index"], images)
        interpreter.invoke()
        return [np.asarray(interpreter.get_tensor(each["index"])) for each in returned]

    with zipfile.ZipFile(path) as archive:
        classes = archive.read(CLASSES_FILE).decode().splitlines()
        known = archive.namelist()
        standards, card = (
            archive.read(name).decode() if name in known else ""
            for name in (STANDARDS_FILE, CARD_FILE)
        )
    size = known_size(*given["shape_signature"][1:3].tolist())
    return ExportedModel(predict, classes, size, standards, card, SEVERAL_FILE in known)


def save_onnx(model: keras.Model, path: Path) -> None:
    """Writes an .onnx file, whose input "image" may have any size, with the classes in it."""
    import onnx

    # Without a signature Keras requires that the model was called before.
    image = keras.InputSpec(shape=model.input_shape, dtype="float32", name="image")
    with quiet_converters():
        _with_novelty(model).export(path, format="onnx", verbose=False, input_signature=[image])
    proto, last = onnx.load(path), model.layers[-1]
    properties = {name: getattr(last, name) for name in ("origin", "standards", "card")}
    properties |= {name: json.dumps(getattr(last, name)) for name in ("classes", "multilabel")}
    onnx.helper.set_model_props(proto, properties)
    onnx.save(proto, path)


def load_onnx(path: Path) -> ExportedModel:
    """Loads an .onnx file."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    (given,) = session.get_inputs()

    def predict(images: Array) -> list[Array]:
        return [np.asarray(output) for output in session.run(None, {given.name: images})]

    properties = session.get_modelmeta().custom_metadata_map
    classes, size = json.loads(properties["classes"]), known_size(*given.shape[1:3])
    standards, card = (properties.get(name, "") for name in ("standards", "card"))
    multilabel = bool(json.loads(properties.get("multilabel", "false")))
    return ExportedModel(predict, classes, size, standards, card, multilabel)


_BY_KERAS = 'import keras, kagglecxr.models.layers; keras.saving.load_model("{path}")'
FORMATS.add_as("keras")(FileFormat(".keras", "keras", "keras", save_keras, load_keras, _BY_KERAS))
FORMATS.add_as("h5")(FileFormat(".h5", "keras", "keras", save_h5, load_keras, _BY_KERAS))
FORMATS.add_as("tflite")(
    FileFormat(
        ".tflite", "tensorflow", "ai_edge_litert", save_tflite, load_tflite,
        'from ai_edge_litert.interpreter import Interpreter; Interpreter("{path}")',
    )
)  # fmt: skip
FORMATS.add_as("onnx")(
    FileFormat(
        ".onnx", "tf2onnx", "onnxruntime", save_onnx, load_onnx,
        'import onnxruntime; onnxruntime.InferenceSession("{path}")',
    )
)  # fmt: skip
