"""One file answers raw images as the pipeline, the folds and the views do."""

import dataclasses
import json
import shutil
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

from kagglecxr.core.errors import DataError, MissingError, SettingError, UnknownNameError
from kagglecxr.core.files import read_json, write_json
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import RunRecord, read_run
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.cache.cache import Cache
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.inference.ensemble import rebuild_model
from kagglecxr.inference.export.exporter import ExportedFile, export_model
from kagglecxr.inference.export.file_formats import format_of
from kagglecxr.inference.export.keras_files import PredictFunction, load_keras
from kagglecxr.inference.parts import Parts, choose_parts
from kagglecxr.inference.predictions import average
from kagglecxr.inference.predictor import predict_views
from tests.conftest import SIZE, PreparedDemo

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


def trained(own: PreparedDemo, name: str, score: float, views: Sequence[str], seed: int) -> Path:
    """A finished run whose weights are chance, and decided answers: no training is that fast."""
    record = RunRecord(
        name=name,
        competition="demo",
        model="cnn_small",
        recipe={"model_options": {"width": 4}, "views": list(views)},
        seed=seed,
        folds=FOLDS,
        targets=own.prepared.competition.targets(),
        input_shape=(SIZE, SIZE, 1),
        data={"cache": own.prepared.cache.key},
        parameters={},
        megabytes=0.1,
        versions={},
        machine={},
        seconds=[],
        metrics={"oof_balanced_accuracy": score},
    )
    folder = own.workspace.runs / name
    for fold in range(FOLDS):
        keras.utils.set_random_seed(10 * seed + fold)
        model = rebuild_model(record)
        logits = model.get_layer("logits")
        logits.kernel.assign(30 * logits.kernel)
        (folder / f"fold-{fold}").mkdir(parents=True)
        model.save_weights(folder / f"fold-{fold}" / "model.weights.h5")
    record.write(folder)
    return folder


@pytest.fixture(scope="module")
def own(demo: PreparedDemo, tmp_path_factory: pytest.TempPathFactory) -> PreparedDemo:
    workspace = Workspace(tmp_path_factory.mktemp("export"), demo.workspace.competition)
    shutil.copy(demo.workspace.prepared, workspace.prepared)
    played = PreparedDemo(demo.competition, workspace, demo.prepared)
    trained(played, "worse", 0.5, ["identity", "hflip"], 1)
    trained(played, "better", 0.6, ["identity"], 2)
    return played


def export(
    own: PreparedDemo, path: Path, *names: str, form: str | None = None, **chosen: Any
) -> ExportedFile:
    parts = choose_parts(own.prepared, own.workspace, names, **chosen)
    kind = format_of(form, path)
    return export_model(own.prepared, own.workspace, parts, kind, path, Silent())


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
    pipeline = Pipeline.parse(read_json(own.workspace.prepared)["pipeline"], SIZE)
    pixels = [pipeline(image[0, ..., 0] if image.shape[-1] == 1 else image[0]) for image in images]
    of_runs = []
    for name in names:
        record = read_run(own.workspace.runs / name)
        model = rebuild_model(record)
        of_folds = []
        for fold in folds:
            model.load_weights(own.workspace.runs / name / f"fold-{fold}" / "model.weights.h5")
            seen = tuple(views) or record.recipe["views"]
            rows = np.arange(len(pixels))
            of_folds.append(predict_views(model, np.stack(pixels), rows, views=seen))
        of_runs.append(average(of_folds))
    return average(of_runs)


@pytest.fixture(scope="module")
def expected(own: PreparedDemo) -> dict[tuple[int, int, int], npt.NDArray[np.float32]]:
    """What the kit answers for an image of each shape."""
    answers = by_the_kit(own, [film(*shape) for shape in SHAPES], ["worse", "better"])
    # Answers that are all alike would be like any other.
    assert np.ptp(answers) > 0.1
    assert np.ptp(answers, axis=0).max() > 0.02
    return dict(zip(SHAPES, answers, strict=True))


@pytest.fixture(scope="module")
def whole(own: PreparedDemo, tmp_path_factory: pytest.TempPathFactory) -> ExportedFile:
    return export(own, tmp_path_factory.mktemp("file") / "both.keras", "worse", "better")


@pytest.fixture(scope="module")
def answers(whole: ExportedFile) -> PredictFunction:
    return load_keras(whole.path)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_file_answers_as_the_kit_does(
    answers: PredictFunction,
    expected: dict[tuple[int, int, int], npt.NDArray[np.float32]],
    shape: tuple[int, int, int],
) -> None:
    image, answer = film(*shape), expected[shape]
    for pixels in (image, image.astype(np.float32)):
        np.testing.assert_allclose(answers(pixels)[0], answer, atol=1e-5, rtol=0)


def test_a_batch_is_answered_image_by_image(answers: PredictFunction) -> None:
    first, second = film(61, 50, 1), film(61, 50, 1)[:, ::-1]
    both = answers(np.concatenate([first, second]))
    np.testing.assert_allclose(both[0], answers(first)[0], atol=1e-6)
    np.testing.assert_allclose(both[1], answers(second)[0], atol=1e-6)


def test_the_file_tells_its_classes_and_what_it_is_made_of(
    own: PreparedDemo, whole: ExportedFile
) -> None:
    last = keras.saving.load_model(whole.path).get_layer("probabilities")
    assert last.classes == whole.classes == own.prepared.competition.targets()
    assert last.origin == "demo: worse, better; gray | resize(48)"
    assert whole.takes == "raw pixels 0..255 (batch, height, width, 1 or 3)"
    assert whole.megabytes == whole.path.stat().st_size / 1e6


def test_a_fresh_python_loads_the_file_whatever_it_imports_first(
    whole: ExportedFile,
    expected: dict[tuple[int, int, int], npt.NDArray[np.float32]],
    tmp_path: Path,
) -> None:
    shape = SHAPES[1]
    np.save(tmp_path / "image.npy", film(*shape))
    code = (
        "import numpy as np\n"
        f"model = keras.saving.load_model({str(whole.path)!r})\n"
        f"print(model.predict(np.load({str(tmp_path / 'image.npy')!r}), verbose=0)[0].tolist())"
    )
    orders = ("import kagglecxr.models.layers, keras", "import keras, kagglecxr.models.layers")
    fresh = [
        subprocess.Popen(
            [sys.executable, "-c", f"{order}; {code}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for order in orders
    ]
    for python in fresh:
        told, complaint = python.communicate(timeout=300)
        assert python.returncode == 0, complaint
        np.testing.assert_allclose(json.loads(told), expected[shape], atol=1e-5)


def test_one_fold_and_other_views_can_be_chosen(own: PreparedDemo, tmp_path: Path) -> None:
    image = film(61, 99, 1)
    path = tmp_path / "one.keras"
    export(own, path, "worse", fold=1, views=["mirrored"])
    answer = load_keras(path)(image)
    chosen = by_the_kit(own, [image], ["worse"], views=["mirrored"], folds=[1])
    np.testing.assert_allclose(answer, chosen, atol=1e-5)
    assert np.abs(chosen - by_the_kit(own, [image], ["worse"], folds=[1])).max() > 1e-3


def test_without_names_it_is_the_best_run(own: PreparedDemo) -> None:
    best = choose_parts(own.prepared, own.workspace, [])
    assert best == Parts("demo-better", [own.workspace.runs / "better"], None, ())


def test_an_ensemble_stands_for_its_runs(own: PreparedDemo) -> None:
    runs = [own.workspace.runs / name for name in ("better", "worse")]
    blend = own.workspace.ensembles / "mean-0123" / "blend.json"
    write_json(blend, {"runs": ["better", "worse"], "metric": "auc"})
    parts = choose_parts(own.prepared, own.workspace, ["mean-0123"], fold=0)
    assert parts == Parts("demo-mean-0123-fold-0", runs, 0, ())
    assert choose_parts(own.prepared, own.workspace, ["mean-0123", "worse"]).runs == runs
    write_json(blend, {"runs": ["better", "worse"], "weights": [0.7, 0.3]})
    with pytest.raises(SettingError, match="weights"):
        choose_parts(own.prepared, own.workspace, ["mean-0123"])
    blend.write_text("{")
    with pytest.raises(DataError, match=r"blend\.json"):
        choose_parts(own.prepared, own.workspace, ["mean-0123"])


def test_a_run_that_is_unknown_or_not_finished_is_refused(own: PreparedDemo) -> None:
    with pytest.raises(UnknownNameError, match=r"'bettr'.*better"):
        choose_parts(own.prepared, own.workspace, ["bettr"])
    (own.workspace.runs / "begun").mkdir(exist_ok=True)
    with pytest.raises(MissingError, match=r"not finished.*begun"):
        choose_parts(own.prepared, own.workspace, ["begun"])


def test_a_fold_or_view_that_is_not_there_is_refused(own: PreparedDemo, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"fold 2 of better.*0 to 1"):
        export(own, tmp_path / "a.keras", "better", fold=2)
    with pytest.raises(UnknownNameError, match=r"'mirored'.*mirrored"):
        export(own, tmp_path / "a.keras", "better", views=["mirored"])
    assert list(tmp_path.iterdir()) == []


def test_a_run_of_other_images_is_refused(own: PreparedDemo, tmp_path: Path) -> None:
    cache = own.prepared.cache
    other = Cache(cache.folder.with_name("0123456789ab"), cache.images, cache.measures)
    changed = dataclasses.replace(own.prepared, cache=other)
    with pytest.raises(DataError, match="0123456789ab"):
        export(dataclasses.replace(own, prepared=changed), tmp_path / "a.keras", "better")


def other(path: Path) -> PredictFunction:
    return lambda images: np.full((len(images), 4), 0.25, np.float32)


def unknown(path: Path) -> PredictFunction:
    raise ValueError("Unknown layer: LayerScale")


@pytest.mark.parametrize(
    ("opens", "told"),
    [(other, r"\.keras \(\[0\.25 0\.25"), (unknown, r"\.keras \(Unknown layer")],
)
def test_a_file_that_does_not_keep_its_model_is_refused(
    own: PreparedDemo, tmp_path: Path, opens: Callable[[Path], PredictFunction], told: str
) -> None:
    kind = dataclasses.replace(format_of("keras", None), opened=opens)
    parts = choose_parts(own.prepared, own.workspace, ["better"], fold=0)
    with pytest.raises(SettingError, match=told):
        export_model(own.prepared, own.workspace, parts, kind, tmp_path / "a.keras", Silent())
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_not_there(own: PreparedDemo, tmp_path: Path) -> None:
    def break_off(model: keras.Model, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("cut off")

    kind = dataclasses.replace(format_of("keras", None), write=break_off)
    parts = choose_parts(own.prepared, own.workspace, ["better"], fold=0)
    with pytest.raises(OSError, match="cut off"):
        export_model(own.prepared, own.workspace, parts, kind, tmp_path / "a.keras", Silent())
    assert list(tmp_path.iterdir()) == []
