"""The verb `predict` as a user types it: runs, ensembles and exported files, on any images."""

import importlib.util
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from kagglecxr.core.files import read_table
from kagglecxr.core.progress import Silent
from kagglecxr.ensembling.blends import equal_blend
from kagglecxr.ensembling.ensemble_record import EnsembleRecord
from kagglecxr.ensembling.fitting import FittedEnsemble
from kagglecxr.inference.export.exporter import export_model
from kagglecxr.inference.export.file_formats import FORMATS
from kagglecxr.inference.members import members_for_data
from tests.conftest import PreparedDemo, copy_demo
from tests.inference.random_runs import add_novelty, random_run
from tests.test_verbs import verb_here

IMAGES = 6


@pytest.fixture(scope="module")
def own(demo: PreparedDemo, tmp_path_factory: pytest.TempPathFactory) -> PreparedDemo:
    """A workspace with two runs, and an ensemble that counts one class twice."""
    own = copy_demo(demo, tmp_path_factory.mktemp("user") / "work" / "demo")
    random_run(own, "one", seed=1, folds=1)
    random_run(own, "two", seed=2, folds=1, views=["identity"])
    add_novelty(own, random_run(own, "choosy", seed=1, folds=1))
    targets = own.prepared.competition.targets()
    weights = [2.0, *[1.0] * (len(targets) - 1)]
    combine = FittedEnsemble(equal_blend(2), class_weights=weights)
    record = EnsembleRecord(["one", "two"], combine, targets, [], "accuracy", None, None, "s.csv")
    record.write(own.workspace.ensembles / "both")
    return own


@pytest.fixture
def xrays(in_folder: Path, demo_images: Path) -> Path:
    """Some images in a folder of the current one."""
    (in_folder / "xrays").mkdir()
    for image in sorted(demo_images.glob("*/images/*.png"))[::20][:IMAGES]:
        shutil.copy(image, in_folder / "xrays")
    return in_folder / "xrays"


def probabilities(path: Path, own: PreparedDemo) -> npt.NDArray[np.float64]:
    table = read_table(path)
    targets = own.prepared.competition.targets()
    assert list(table.columns) == ["path", *targets, "label"]
    values = table[targets].to_numpy(np.float64)
    assert list(table["label"]) == [targets[number] for number in values.argmax(axis=1)]
    return values


def test_classes_are_pooled(own: PreparedDemo, xrays: Path) -> None:
    first, *others = own.prepared.competition.targets()
    pools = ("--pool", f"ill={first}", "--pool", f"other={','.join(others)}")
    one = str(own.workspace.runs / "one")
    for name, more in (("fine", ()), ("pooled", pools)):
        done = verb_here("predict", one, "xrays", "--out", f"{name}.csv", *more)
        assert (done.returncode, done.stderr) == (0, "")
    pooled, fine = read_table(Path("pooled.csv")), probabilities(Path("fine.csv"), own)
    assert list(pooled.columns) == ["path", "ill", "other", "label"]
    values = pooled[["ill", "other"]].to_numpy(np.float64)
    np.testing.assert_allclose(values[:, 0], fine[:, 0], atol=1e-6)
    np.testing.assert_allclose(values.sum(axis=1), 1.0, atol=1e-5)
    refused = verb_here("predict", one, "xrays", "--pool", f"ill={first}")
    assert refused.returncode == 2
    assert "each class once" in refused.stderr


def test_a_run_an_ensemble_and_their_images_need_no_competition(
    own: PreparedDemo, xrays: Path
) -> None:
    found = {}
    for name in ("one", "two"):
        done = verb_here("predict", str(own.workspace.runs / name), "xrays", "--out", f"{name}.csv")
        assert (done.returncode, done.stderr) == (0, "")
        found[name] = probabilities(Path(f"{name}.csv"), own)
        assert list(read_table(Path(f"{name}.csv"))["path"]) == sorted(
            f"xrays/{path.name}" for path in xrays.iterdir()
        )
    assert np.abs(found["one"] - found["two"]).max() > 0.01
    done = verb_here("predict", str(own.workspace.ensembles / "both"), "xrays/*.png")
    assert (done.returncode, done.stderr) == (0, "")
    mean = (found["one"] + found["two"]) / 2
    mean[:, 0] *= 2
    expected = mean / mean.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities(Path("predictions.csv"), own), expected, atol=1e-5)
    lines = done.stdout.splitlines()
    assert len(lines) == IMAGES + 2
    assert lines[1].split()[-1] in own.prepared.competition.targets()
    assert re.search(r"Predicted 6 images: predictions\.csv\. Next: \S", lines[-1])


def test_images_that_are_no_chest_x_rays_are_told(own: PreparedDemo, xrays: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    (xrays / "noise.png").write_bytes(cv2.imencode(".png", noise)[1].tobytes())
    first, *others = own.prepared.competition.targets()
    pools = ("--pool", f"ill={first}", "--pool", f"other={','.join(others)}")
    choosy = str(own.workspace.runs / "choosy")
    done = verb_here("predict", choosy, "xrays", *pools)
    assert (done.returncode, done.stderr) == (0, "")
    table = read_table(Path("predictions.csv"))
    assert list(table.columns) == ["path", "ill", "other", "label", "unusual"]
    unusual = dict(zip(table["path"], table["unusual"], strict=True))
    assert unusual.pop("xrays/noise.png") == "1"
    assert list(unusual.values()) == ["0"] * IMAGES
    told = "1 of 7 images looks unlike the chest X-rays of the training set."
    assert f"Predicted 7 images: predictions.csv. {told} Next: " in done.stdout


@pytest.mark.parametrize(
    "kind",
    ["keras", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("h5", "onnx", "tflite"))],
)
def test_an_exported_file_predicts_as_its_run(own: PreparedDemo, xrays: Path, kind: str) -> None:
    if importlib.util.find_spec(FORMATS[kind].reads) is None:
        pytest.skip(f"{FORMATS[kind].reads} is not installed")
    run, path = own.workspace.runs / "one", xrays.parent / f"one.{kind}"
    export_model(own.prepared, members_for_data([run], own.prepared), FORMATS[kind], path, Silent())
    for model, out in ((run, "run.csv"), (path, "file.csv")):
        done = verb_here("predict", str(model), "xrays", "--out", out)
        assert (done.returncode, done.stderr) == (0, "")
    by_run, by_file = (probabilities(Path(out), own) for out in ("run.csv", "file.csv"))
    np.testing.assert_allclose(by_file, by_run, atol=1e-3)
    assert np.ptp(by_run, axis=0).max() > 0.02


def test_a_picture_is_drawn_where_one_is_wanted(own: PreparedDemo, xrays: Path) -> None:
    words = [str(own.workspace.runs / "two"), "xrays", "--picture", "out/picture.png", "--quiet"]
    done = verb_here("predict", *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert Path("out/picture.png").read_bytes().startswith(b"\x89PNG")
    assert len(done.stdout.splitlines()) == IMAGES + 1


def test_files_that_cannot_be_read_are_named_or_left_out(own: PreparedDemo, xrays: Path) -> None:
    (xrays / "broken one.png").write_bytes(b"\x89PNG")
    words = [str(own.workspace.runs / "two"), "xrays", "--work", "space"]
    done = verb_here("predict", *words)
    assert done.returncode == 2
    assert re.search(r"^An image cannot.*xrays/broken one\.png.*--skip-unreadable", done.stderr)
    assert not Path("predictions.csv").exists()
    done = verb_here("predict", *words, "--skip-unreadable")
    assert done.returncode == 0
    assert "Left out an image that cannot be read: xrays/broken one.png (" in done.stderr
    assert len(probabilities(Path("predictions.csv"), own)) == IMAGES
    assert list(Path("space").iterdir()) == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere", "xrays"], r"no model.*Received: nowhere\..*\.onnx.*nearby: work/a/runs/one, "
         r"work/a/ensemble/both, exports/a\.keras\."),
        (["xrays", "xrays"], r"no model.*Received: xrays\."),
        (["exports/a.keras", "xrays"], r"model that export wrote.*exports/a\.keras"),
        (["work/a/runs/one", "no-*.png"], r"Looked in: no-\*\.png, from /"),
        (["work/a/runs/one"], r"Looked in: nothing"),
        (["work/a/runs/one", "xrays"], r"run's record.*run\.json"),
        (["work/a/runs/one", "xrays", "--picture", "a.jpg"], r"a PNG.*Received: a\.jpg"),
        (["work/a/runs/one", "xrays", "--out", "xrays"], r"the folder xrays"),
    ],
)  # fmt: skip
def test_what_the_user_must_mend_is_one_sentence(words: list[str], told: str, xrays: Path) -> None:
    for record in (
        "work/a/runs/one/run.json",
        "work/a/ensemble/both/blend.json",
        "exports/a.keras",
    ):
        Path(record).parent.mkdir(parents=True)
        Path(record).touch()
    done = verb_here("predict", *words)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert re.search(told, done.stderr), done.stderr


def test_without_models_nearby_that_is_told(xrays: Path) -> None:
    assert "None is nearby." in verb_here("predict", "nowhere", "xrays").stderr
