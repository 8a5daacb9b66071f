"""Whole models in the files of other runtimes: TensorFlow Lite's and ONNX'."""

import json
import zipfile
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.inference.export.keras_files import PredictFunction, quiet_converters

CLASSES_FILE = "classes.txt"
"""Where a .tflite file, which has no layers to ask, holds the names of its outputs."""


def save_tflite(model: keras.Model, path: Path) -> None:
    """Writes a .tflite file, whose input may have any size, and the classes into it."""
    with quiet_converters():
        model.export(path, format="litert", verbose=False)
    # After the model, where TensorFlow Lite's own tools put the files that belong to it.
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(CLASSES_FILE, "\n".join(model.layers[-1].classes) + "\n")


def load_tflite(path: Path) -> PredictFunction:
    """What a .tflite file answers."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    # A delegate would say on stderr that it is there.
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(str(path), experimental_op_resolver_type=plain)
    (given,), (told,) = interpreter.get_input_details(), interpreter.get_output_details()

    def answers(images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        interpreter.resize_tensor_input(given["index"], images.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(given["index"], images)
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(told["index"]))

    return answers


def save_onnx(model: keras.Model, path: Path) -> None:
    """Writes an .onnx file, whose input "image" may have any size, and the classes into it."""
    import onnx

    # Without it Keras wants the model to have been asked once.
    image = keras.InputSpec(shape=model.input_shape, dtype="float32", name="image")
    with quiet_converters():
        model.export(path, format="onnx", verbose=False, input_signature=[image])
    proto = onnx.load(path)
    last = model.layers[-1]
    told = {"classes": json.dumps(last.classes), "origin": last.origin}
    onnx.helper.set_model_props(proto, told)
    onnx.save(proto, path)


def load_onnx(path: Path) -> PredictFunction:
    """What an .onnx file answers."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path)

    def answers(images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        (told,) = session.run(None, {"image": images})
        return np.asarray(told)

    return answers
