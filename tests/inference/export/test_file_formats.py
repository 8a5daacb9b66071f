"""A file of every format predicts as the model that was saved, and names its classes."""

import importlib.util
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import pytest

from kagglecxr.core.errors import DataError, MissingError, SettingError, UnknownNameError
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.inference.export.end_to_end import RunModels, end_to_end_model
from kagglecxr.inference.export.file_formats import (
    CLASSES_FILE,
    FORMATS,
    FileFormat,
    format_of,
    load_export,
)
from kagglecxr.models import create_model
from kagglecxr.models.layers.distances import MahalanobisDistance
from kagglecxr.models.layers.outputs import LabeledOutput
from kagglecxr.models.layers.pixel_operations import RGBToGray
from kagglecxr.models.runtime import quiet_converters

SHAPES = [(1, 24, 24, 1), (2, 61, 99, 1), (1, 48, 48, 3), (1, 20, 30, 3), (3, 50, 24, 3)]


def by_keras(path: Path) -> list[str]:
    return list(keras.saving.load_model(path).get_layer("probabilities").classes)


def by_onnx(path: Path) -> list[str]:
    import onnxruntime

    metadata = onnxruntime.InferenceSession(path).get_modelmeta().custom_metadata_map
    assert metadata["origin"] == "made here"
    return list(json.loads(metadata["classes"]))


CLASSES_IN: dict[str, Callable[[Path], list[str]]] = {
    "keras": by_keras,
    "h5": by_keras,
    "tflite": lambda path: zipfile.ZipFile(path).read(CLASSES_FILE).decode().split(),
    "onnx": by_onnx,
}


@pytest.fixture(scope="module")
def model() -> keras.Model:
    folds = []
    for fold in range(2):
        keras.utils.set_random_seed(fold)
        small = create_model("cnn_small", num_classes=3, input_shape=(24, 24, 1), width=2)
        folds.append(keras.Model(small.input, small.output, name=f"fold-{fold}"))
    steps = Pipeline.parse("resize | equalise", 24).steps
    runs = [RunModels(folds, ["identity"]), RunModels(folds[:1], ["hflip"])]
    return end_to_end_model(steps, runs, ["é", "b", "c"], "made here")


def call(model: keras.Model, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray(keras.ops.convert_to_numpy(model(images)))


def needs(kind: FileFormat) -> None:
    for package in (kind.writes, kind.reads):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")


@pytest.mark.parametrize(
    "name",
    # The other formats have tests of their layers beside this one.
    [
        pytest.param(n, marks=pytest.mark.slow if n in ("tflite", "h5") else ())
        for n in FORMATS.names()
    ],
)
def test_a_file_predicts_images_of_any_size_as_its_model_does(
    model: keras.Model, name: str, tmp_path: Path
) -> None:
    kind = FORMATS[name]
    needs(kind)
    path = tmp_path / f"model{kind.suffix}"
    kind.save(model, path)
    loaded = load_export(path)
    for shape in SHAPES:
        images = np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)
        np.testing.assert_allclose(loaded.predict(images), call(model, images), atol=1e-6)
    assert CLASSES_IN[name](path) == loaded.classes == ["é", "b", "c"]
    assert loaded.size is None


@pytest.mark.parametrize("name", FORMATS.names())
def test_a_file_of_one_size_tells_it(name: str, tmp_path: Path) -> None:
    kind = FORMATS[name]
    needs(kind)
    inputs = keras.Input((2, 3, None), name="image")
    kind.save(keras.Model(inputs, LabeledOutput(["a"])(inputs)), tmp_path / f"model{kind.suffix}")
    assert load_export(tmp_path / f"model{kind.suffix}").size == (2, 3)


@pytest.mark.parametrize("name", FORMATS.names())
def test_a_file_keeps_what_is_unusual_and_what_is_written_of_it(name: str, tmp_path: Path) -> None:
    kind = FORMATS[name]
    needs(kind)
    inputs = keras.Input((None, None, None), name="image")
    brightness = keras.layers.GlobalAveragePooling2D()(RGBToGray()(inputs))
    # Nobody set its Gaussian, whose mean and deviations are 1 therefore.
    novelty = MahalanobisDistance(1)(brightness)
    last = LabeledOutput(["lungs"], standards='{"é": null}', card="# é\n\nNot for diagnosis.\n")
    whole = keras.Model(inputs, last([inputs, novelty]))
    path = tmp_path / f"model{kind.suffix}"
    kind.save(whole, path)
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 1)).astype(np.float32)
    loaded = load_export(path)
    probabilities, unusual = loaded.predict_with_novelty(images)
    np.testing.assert_array_equal(probabilities, images)
    assert unusual is not None
    np.testing.assert_allclose(unusual, images.mean(axis=(1, 2, 3)) - 1, rtol=1e-5)
    assert loaded.standards == '{"é": null}'
    assert loaded.card == "# é\n\nNot for diagnosis.\n"
    # Who opens a file with Keras gets the probabilities alone.
    assert kind.writes != "keras" or keras.saving.load_model(path)(images).shape == (2, 5, 7, 1)


@pytest.mark.parametrize("name", FORMATS.names())
def test_a_damaged_file_is_told(name: str, tmp_path: Path) -> None:
    needs(FORMATS[name])
    path = tmp_path / f"model{FORMATS[name].suffix}"
    path.write_bytes(b"no model")
    with pytest.raises(DataError, match=rf"model that export wrote.*{path.name}"):
        load_export(path)


def test_a_keras_model_of_someone_else_is_no_export(tmp_path: Path) -> None:
    inputs = keras.Input((2,))
    keras.Model(inputs, keras.layers.Dense(2)(inputs)).save(tmp_path / "other.keras")
    with pytest.raises(DataError, match=r"model that export wrote.*other\.keras"):
        load_export(tmp_path / "other.keras")


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_code_in_a_file_is_not_run(tmp_path: Path, suffix: str) -> None:
    inputs, path = keras.Input((2,)), tmp_path / f"code{suffix}"
    with quiet_converters():
        keras.Model(inputs, keras.layers.Lambda(lambda x: 2 * x)(inputs)).save(path)
    with pytest.raises(DataError, match=rf"code\{suffix}.*arbitrary code"):
        load_export(path)


def test_without_a_reader_the_package_to_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match=r"a\.onnx.*onnxruntime.*pip install 'kagglecxr"):
        load_export(Path("a.onnx"))


@pytest.mark.parametrize("name", FORMATS.names())
def test_a_model_that_was_never_called_can_be_written(name: str, tmp_path: Path) -> None:
    kind = FORMATS[name]
    needs(kind)
    inputs = keras.Input((None, None, None), name="image")
    model = keras.Model(inputs, LabeledOutput(["a"])(inputs))
    kind.save(model, tmp_path / f"model{kind.suffix}")
    images = np.ones((1, 2, 3, 1), np.float32)
    loaded = kind.load(tmp_path / f"model{kind.suffix}")
    np.testing.assert_array_equal(loaded.predict(images), images)


def test_an_h5_file_keeps_the_axes_of_a_normalisation(tmp_path: Path) -> None:
    inputs = keras.Input((4, 5, 2))
    normalised = keras.layers.LayerNormalization(axis=(1, 2, 3), epsilon=0.5, name="n")(inputs)
    model = keras.Model(inputs, LabeledOutput(["a"])(normalised))
    model.get_layer("n").gamma.assign(np.random.default_rng(0).random((4, 5, 2)))
    FORMATS["h5"].save(model, tmp_path / "model.h5")
    images = np.random.default_rng(1).random((3, 4, 5, 2), np.float32)
    loaded = FORMATS["h5"].load(tmp_path / "model.h5")
    np.testing.assert_allclose(loaded.predict(images), call(model, images), atol=1e-6)


def test_without_a_converter_the_package_to_install_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    with pytest.raises(MissingError, match=r"tf2onnx.*pip install 'kagglecxr\[export\]'"):
        FORMATS["onnx"].check()


def test_on_another_backend_the_one_to_take_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    FORMATS["keras"].check()
    with pytest.raises(SettingError, match=r"\.tflite on jax.*KERAS_BACKEND=tensorflow"):
        FORMATS["tflite"].check()


@pytest.mark.parametrize(
    ("name", "path", "suffix"),
    [
        (None, None, ".keras"),
        ("h5", None, ".h5"),
        (None, Path("a.b.onnx"), ".onnx"),
        ("tflite", Path("a.tflite"), ".tflite"),
    ],
)
def test_a_format_is_found_by_its_name_or_the_file_s(
    name: str | None, path: Path | None, suffix: str
) -> None:
    assert format_of(name, path).suffix == suffix


def test_an_unknown_format_or_another_suffix_is_refused() -> None:
    with pytest.raises(UnknownNameError, match=r"'onx'.*onnx"):
        format_of("onx", None)
    with pytest.raises(UnknownNameError, match="'savedmodel'"):
        format_of(None, Path("a.savedmodel"))
    with pytest.raises(SettingError, match=r"a\.keras for h5.*a\.h5"):
        format_of("h5", Path("a.keras"))
