"""One file predicts raw images as the pipeline, the folds and the views do."""

import dataclasses
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import numpy.typing as npt
import pytest

from kagglecxr.core.errors import DataError, SettingError, UnknownNameError
from kagglecxr.core.progress import Silent
from kagglecxr.data.cache.cache import Cache
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.inference.export.exported_model import ExportedModel
from kagglecxr.inference.export.exporter import ExportedFile, export_model
from kagglecxr.inference.export.file_formats import (
    FORMATS,
    FileFormat,
    load_keras,
)
from kagglecxr.inference.members import members_for_data
from kagglecxr.inference.novelty import load_novelties
from kagglecxr.inference.predictor import Predictor
from kagglecxr.inference.tta import VIEWS
from tests.conftest import SIZE, PreparedDemo, copy_demo
from tests.inference.random_runs import add_novelty, random_run

Predict = Callable[[npt.NDArray[Any]], npt.NDArray[np.float32]]

FOLDS = 2
SHAPES = [
    (48, 48, 1),
    (61, 99, 1),
    (96, 96, 3),
    (30, 50, 3),
    (31, 32, 1),
    (72, 60, 1),
    (48, 200, 3),
]


@pytest.fixture(scope="module")
def own(demo: PreparedDemo, tmp_path_factory: pytest.TempPathFactory) -> PreparedDemo:
    own = copy_demo(demo, tmp_path_factory.mktemp("export"))
    random_run(own, "worse", seed=1)
    random_run(own, "better", seed=2, views=["identity"])
    return own


def export(
    own: PreparedDemo, path: Path, *names: str, kind: FileFormat = FORMATS["keras"], **chosen: Any
) -> ExportedFile:
    runs = [own.workspace.runs / name for name in names]
    members = members_for_data(runs, own.prepared, **chosen)
    return export_model(own.prepared, members, kind, path, Silent())


def film(height: int, width: int, channels: int) -> npt.NDArray[np.uint8]:
    """Soft shapes with some noise, as raw pixels (1, H, W, C)."""
    random = np.random.default_rng(height * width * channels)
    soft = cv2.resize(random.random((6, 6, channels)), (width, height))
    shape = (height, width, channels)
    noisy = 255 * soft.reshape(shape) + random.normal(0, 6, shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)[None]


def by_the_kit(
    own: PreparedDemo,
    images: Sequence[npt.NDArray[np.uint8]],
    names: Sequence[str],
    *,
    views: Sequence[str] = (),
    folds: Sequence[int] = range(FOLDS),
) -> npt.NDArray[np.float32]:
    """The pipeline, the model of each fold from each view, the mean of folds, that of runs."""
    pipeline = Pipeline.parse(own.prepared.pipeline_text, SIZE)
    pixels = [pipeline(image[0, ..., 0] if image.shape[-1] == 1 else image[0]) for image in images]
    batch = np.stack(pixels)[..., None]
    of_runs = []
    for member in members_for_data([own.workspace.runs / name for name in names], own.prepared):
        seen = [VIEWS[view].array(batch) for view in tuple(views) or member.views]
        models = [member.load_model(fold) for fold in folds]
        of_runs.append(np.mean([[model(view) for view in seen] for model in models], axis=(0, 1)))
    return np.mean(of_runs, axis=0)


@pytest.fixture(scope="module")
def expected(own: PreparedDemo) -> dict[tuple[int, int, int], npt.NDArray[np.float32]]:
    """What the package predicts for an image of each shape."""
    probabilities = by_the_kit(own, [film(*shape) for shape in SHAPES], ["worse", "better"])
    # Predictions that are all alike would be like any other.
    assert np.ptp(probabilities) > 0.1
    assert np.ptp(probabilities, axis=0).max() > 0.02
    return dict(zip(SHAPES, probabilities, strict=True))


@pytest.fixture(scope="module")
def whole(own: PreparedDemo, tmp_path_factory: pytest.TempPathFactory) -> ExportedFile:
    return export(own, tmp_path_factory.mktemp("file") / "both.keras", "worse", "better")


@pytest.fixture(scope="module")
def predict(whole: ExportedFile) -> Predict:
    return load_keras(whole.path).predict


@pytest.mark.parametrize("shape", SHAPES)
def test_a_file_predicts_as_the_kit_does(
    predict: Predict,
    expected: dict[tuple[int, int, int], npt.NDArray[np.float32]],
    shape: tuple[int, int, int],
) -> None:
    image, answer = film(*shape), expected[shape]
    for pixels in (image, image.astype(np.float32)):
        np.testing.assert_allclose(predict(pixels)[0], answer, atol=1e-5, rtol=0)


def test_a_batch_is_predicted_image_by_image(predict: Predict) -> None:
    first, second = film(61, 50, 1), film(61, 50, 1)[:, ::-1]
    both = predict(np.concatenate([first, second]))
    np.testing.assert_allclose(both[0], predict(first)[0], atol=1e-6)
    np.testing.assert_allclose(both[1], predict(second)[0], atol=1e-6)


def test_the_file_tells_its_classes_and_what_it_is_made_of(
    own: PreparedDemo, whole: ExportedFile
) -> None:
    last = keras.saving.load_model(whole.path).get_layer("probabilities")
    assert last.classes == whole.classes == own.prepared.competition.targets()
    assert last.origin == "demo: worse, better; gray | resize(48)"
    assert whole.takes == "raw pixels 0..255 (batch, height, width, 1 or 3)"
    assert whole.megabytes == whole.path.stat().st_size / 1e6


@pytest.mark.slow
def test_a_fresh_python_loads_the_file_with_the_package_s_layers(
    whole: ExportedFile,
    expected: dict[tuple[int, int, int], npt.NDArray[np.float32]],
    tmp_path: Path,
) -> None:
    shape = SHAPES[1]
    np.save(tmp_path / "image.npy", film(*shape))
    code = (
        "import keras, numpy as np, kagglecxr.models.layers\n"
        f"model = keras.saving.load_model({str(whole.path)!r})\n"
        f"print(model.predict(np.load({str(tmp_path / 'image.npy')!r}), verbose=0)[0].tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(json.loads(done.stdout), expected[shape], atol=1e-5)


@pytest.fixture(scope="module")
def gated(demo: PreparedDemo, tmp_path_factory: pytest.TempPathFactory) -> PreparedDemo:
    """With a run of one fold that tells what is unusual."""
    own = copy_demo(demo, tmp_path_factory.mktemp("gated"))
    add_novelty(own, random_run(own, "gated", folds=1))
    return own


@pytest.mark.parametrize(
    "name", ["keras", *(pytest.param(f, marks=pytest.mark.slow) for f in ("h5", "onnx", "tflite"))]
)
def test_a_file_tells_which_images_are_unusual_if_its_run_does(
    gated: PreparedDemo, tmp_path: Path, name: str
) -> None:
    kind = FORMATS[name]
    if not (kind.can_be_read and importlib.util.find_spec(kind.writes)):
        pytest.skip(f"{kind.writes} or {kind.reads} is not installed")
    path = tmp_path / f"gated{kind.suffix}"
    export(gated, path, "gated", kind=kind)
    (member,) = members_for_data([gated.workspace.runs / "gated"], gated.prepared)
    predictor = Predictor([member], novelties=load_novelties([member]))
    chests = gated.prepared.cache.images[:6]
    noise = np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE), np.uint8)
    pixels = np.concatenate([chests, noise])
    expected = predictor.predict(pixels).novelty
    _, novelty = kind.load(path).predict_with_novelty(pixels[..., None].astype(np.float32))
    assert expected is not None
    assert (expected > 1).tolist()[-2:] == [True, True]
    np.testing.assert_allclose(novelty, expected, rtol=1e-3)


def test_a_file_that_loses_what_is_unusual_is_refused(gated: PreparedDemo, tmp_path: Path) -> None:
    def forgetful(path: Path) -> ExportedModel:
        return dataclasses.replace(loaded := load_keras(path), function=loaded.predict)

    kind = dataclasses.replace(FORMATS["keras"], load=forgetful)
    with pytest.raises(SettingError, match="an unusual image has None"):
        export(gated, tmp_path / "a.keras", "gated", kind=kind)
    assert not (tmp_path / "a.keras").exists()


def test_one_fold_and_other_views_can_be_chosen(own: PreparedDemo, tmp_path: Path) -> None:
    image = film(61, 99, 1)
    path = tmp_path / "one.keras"
    export(own, path, "worse", fold=1, views=["hflip"])
    answer = load_keras(path).predict(image)
    chosen = by_the_kit(own, [image], ["worse"], views=["hflip"], folds=[1])
    np.testing.assert_allclose(answer, chosen, atol=1e-5)
    assert np.abs(chosen - by_the_kit(own, [image], ["worse"], folds=[1])).max() > 1e-3


def test_a_fold_or_view_that_is_not_there_is_refused(own: PreparedDemo, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"fold 2 of better.*0 to 1"):
        export(own, tmp_path / "a.keras", "better", fold=2)
    with pytest.raises(UnknownNameError, match=r"'hflpi'.*hflip"):
        export(own, tmp_path / "a.keras", "better", views=["hflpi"])
    assert list(tmp_path.iterdir()) == []


def test_a_run_of_other_images_is_refused(own: PreparedDemo, tmp_path: Path) -> None:
    cache = own.prepared.cache
    other = Cache(cache.folder.with_name("0123456789ab"), cache.images, cache.measures)
    changed = dataclasses.replace(own.prepared, cache=other)
    with pytest.raises(DataError, match="0123456789ab"):
        export(dataclasses.replace(own, prepared=changed), tmp_path / "a.keras", "better")


def other(path: Path) -> ExportedModel:
    return ExportedModel(lambda images: np.full((len(images), 4), 0.25, np.float32), [], None)


def unknown(path: Path) -> ExportedModel:
    raise ValueError("Unknown layer: LayerScale")


@pytest.mark.parametrize(
    ("load", "message"),
    [(other, r"\.keras \(\[0\.25 0\.25"), (unknown, r"\.keras \(Unknown layer")],
)
def test_a_file_that_does_not_keep_its_model_is_refused(
    own: PreparedDemo, tmp_path: Path, load: Callable[[Path], ExportedModel], message: str
) -> None:
    kind = dataclasses.replace(FORMATS["keras"], load=load)
    with pytest.raises(SettingError, match=message):
        export(own, tmp_path / "a.keras", "better", kind=kind, fold=0)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_not_there(own: PreparedDemo, tmp_path: Path) -> None:
    def break_off(model: keras.Model, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("cut off")

    kind = dataclasses.replace(FORMATS["keras"], save=break_off)
    with pytest.raises(OSError, match="cut off"):
        export(own, tmp_path / "a.keras", "better", kind=kind, fold=0)
    assert list(tmp_path.iterdir()) == []
