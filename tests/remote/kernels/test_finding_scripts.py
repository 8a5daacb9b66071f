"""The scripts of a competition of findings, as Kaggle runs them: a column a finding comes out."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from kagglecxr.core.files import read_table
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import read_run
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import load_competition
from kagglecxr.data.prepare import PrepareOptions, prepare_competition
from kagglecxr.ensembling.blend import blend_runs
from kagglecxr.remote.datasets.run_archives import unpack_run
from kagglecxr.remote.kernels.builder import KernelSettings, PrepareSettings, build_kernels
from kagglecxr.remote.kernels.kernel_options import KernelOptions
from kagglecxr.training.recipe import load_recipe
from tests.ensembling.plain import PLAIN
from tests.remote.kernels.kaggle_machine import KaggleMachine
from tests.remote.kernels.test_scripts import RECIPE, left_in, play

SLUG, WHEELS, RUNS = "tubes-2026", "mary/kagglecxr-wheels", "mary/tubes-runs"
FINDINGS = ["ETT - Abnormal", "NGT - Normal", "Swan Ganz Catheter Present"]
DESCRIPTION = f"""name = "tubes"
[source]
kind = "competition"
slug = "{SLUG}"
[classes]
multilabel = true
names = {FINDINGS}
[layout]
train = ["train/*"]
test = ["test/*"]
labels = "train.csv"
label_id = "StudyInstanceUID"
sample = "sample_submission.csv"
"""
SETTINGS = KernelSettings(
    owner="mary", name="tubes", kind="competition", slug=SLUG, wheels=WHEELS, runs=RUNS,
    description=DESCRIPTION, prepare=PrepareSettings(size=24, folds=2),
    options=KernelOptions(
        recipe=RECIPE, trials=2, space="learning_rate = {low = 1e-4, high = 1e-2, log = true}\n"
    ),
)  # fmt: skip
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RANZCR in small: a column a finding, the patient in the table, a sample submission."""
    root, random = tmp_path_factory.mktemp("tubes"), np.random.default_rng(0)
    lines = [",".join(["StudyInstanceUID", *FINDINGS, "PatientID"])]
    for number in range(46):
        part = "train" if number < 40 else "test"
        present = random.integers(0, 2, len(FINDINGS))
        pixels = random.integers(0, 256, (24, 24)).astype(np.uint8)
        for place, value in enumerate(present):
            pixels[:, 8 * place : 8 * place + 6] //= 1 + int(value)
        (root / part).mkdir(exist_ok=True)
        cv2.imwrite(str(root / part / f"1.2.{number}.png"), pixels)
        if part == "train":
            lines.append(",".join([f"1.2.{number}", *map(str, present), f"p{number // 2}"]))
    (root / "train.csv").write_text("\n".join(lines) + "\n")
    # In another order than the table's, as competitions have it.
    write_sample(root, [f"1.2.{number}" for number in range(45, 39, -1)])
    return root


def write_sample(root: Path, ids: list[str]) -> None:
    rows = [",".join(["StudyInstanceUID", *FINDINGS[::-1]]), *(f"{name},0,0,0" for name in ids)]
    (root / "sample_submission.csv").write_text("\n".join(rows) + "\n")


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kernels")
    build_kernels(folder, SETTINGS)
    return folder


def make_machine(folder: Path, wheels: Path, data: Path) -> KaggleMachine:
    made = KaggleMachine.make(folder / "machine", wheels.iterdir())
    made.mount_dataset(WHEELS, wheels, "new")
    made.mount_competition(SLUG, data, "new")
    return made


@pytest.fixture(scope="module")
def packed(
    kernels: Path, wheels: Path, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The dataset of the run that the kernel `train` trained."""
    made = make_machine(tmp_path_factory.mktemp("train"), wheels, data)
    play(made, kernels / "train" / "train.py")
    folder = tmp_path_factory.mktemp("runs")
    (archive,) = made.working.glob("*.zip")
    shutil.copy(archive, folder)
    return folder


def test_a_kernel_submits_a_column_a_finding_as_the_ensemble_does_at_home(
    packed: Path, kernels: Path, wheels: Path, data: Path, tmp_path: Path
) -> None:
    made = make_machine(tmp_path, wheels, data)
    made.mount_dataset(RUNS, packed, "new")
    play(made, kernels / "submit" / "submit.py")
    assert left_in(made) == ["submission.csv"]
    submission = read_table(made.working / "submission.csv")
    assert list(submission.columns) == ["StudyInstanceUID", *FINDINGS[::-1]]
    assert list(submission["StudyInstanceUID"]) == [f"1.2.{number}" for number in range(45, 39, -1)]
    probabilities = submission[FINDINGS].astype(float).to_numpy()
    assert ((probabilities > 0) & (probabilities < 1)).all()
    (tmp_path / "tubes.toml").write_text(DESCRIPTION)
    workspace = Workspace(tmp_path / "work", "tubes")
    options = PrepareOptions(data, 24, "gray | resize", 0.2, 2, False, 0)
    described = load_competition(tmp_path / "tubes.toml")
    prepared = prepare_competition(described, workspace, options, Silent())
    run = unpack_run(next(packed.iterdir()), workspace.runs)
    assert read_run(run).multilabel
    blend = blend_runs(prepared, workspace, [run], tmp_path / "submissions", Silent(), PLAIN)
    assert (made.working / "submission.csv").read_text() == blend.submission.read_text()


def test_the_scored_rerun_needs_no_training_images(
    packed: Path, kernels: Path, wheels: Path, data: Path, tmp_path: Path
) -> None:
    made = make_machine(tmp_path, wheels, data)
    made.mount_dataset(RUNS, packed, "new")
    root = made.input / "competitions" / SLUG
    for part in ("train", "test"):
        shutil.rmtree(root / part)
    (root / "train.csv").unlink()
    (root / "test").mkdir()
    ids = [f"9.{number}" for number in range(8)]
    for name in ids:
        shutil.copy(data / "train" / "1.2.0.png", root / "test" / f"{name}.png")
    (root / "test" / "9.3.png").write_bytes(b"no image")
    (root / "sample_submission.csv").unlink()
    write_sample(root, ids)
    printed = play(made, kernels / "submit" / "submit.py", KAGGLE_IS_COMPETITION_RERUN="1")
    assert "8 rows by 2 of 2 folds, 1 of them without an image" in printed
    submission = read_table(made.working / "submission.csv")
    assert list(submission["StudyInstanceUID"]) == ids


def test_a_search_over_findings_leaves_its_recipe(
    kernels: Path, wheels: Path, data: Path, tmp_path: Path
) -> None:
    made = make_machine(tmp_path, wheels, data)
    play(made, kernels / "tune" / "tune.py")
    (recipe,) = (name for name in left_in(made) if name.startswith("recipes/"))
    assert load_recipe(str(made.working / recipe)).model == "cnn_small"
    study = made.working / "studies" / Path(recipe).stem
    assert len(read_table(study / "trials.csv")) == 2
