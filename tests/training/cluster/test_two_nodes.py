"""A Ray cluster of two nodes on this machine gives the same results, even if a node dies."""

import importlib.util
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import fold_folder
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.data.masked import load_masked
from kagglecxr.training.cluster.cluster_folds import train_folds
from kagglecxr.training.cluster.cluster_trials import RayTrialLauncher
from kagglecxr.training.cluster.file_bundle import read_folder
from kagglecxr.training.cluster.ray_cluster import connect
from kagglecxr.training.fold import train_fold
from kagglecxr.training.recipe import make_recipe
from kagglecxr.training.run_spec import RunSpec
from kagglecxr.training.search.space import make_space
from kagglecxr.training.search.tuning import tune_recipe
from kagglecxr.training.tasks import make_task
from kagglecxr.training.training_options import SearchBudget
from tests.conftest import FOLDS, PreparedDemo, prepare_demo
from tests.training.run_factories import run_spec

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None,
        reason="Ray is not installed: pip install 'kagglecxr[ray]'",
    ),
    # Ray leaves its processes to the system when it disconnects, and closes no log file.
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:unclosed file <_io.TextIOWrapper:ResourceWarning"),
]

SMALL = make_recipe({}, ["epochs=2", "model_options.width=4"])
# As many threads as a training here has: the order of floating-point sums depends on them.
CORES = int(os.environ.get("TF_NUM_INTRAOP_THREADS") or os.cpu_count() or 1)


@dataclass(frozen=True)
class TwoMachines:
    """A head and another machine, each with a folder of its own."""

    address: str
    folders: tuple[Path, Path]
    kill_the_other: Callable[[], None]


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TwoMachines]:
    from ray.cluster_utils import Cluster

    monkeypatch.setattr("kagglecxr.training.cluster.task_messages.MAX_CORES", CORES)
    folders = (tmp_path / "head", tmp_path / "other")
    options: list[dict[str, Any]] = [
        {
            "num_cpus": CORES,
            "include_dashboard": False,
            "env_vars": {"KAGGLECXR_CLUSTER_FOLDER": str(folder)},
        }
        for folder in folders
    ]
    cluster = Cluster(initialize_head=True, head_node_args=options[0])
    other = cluster.add_node(**options[1])
    kill = lambda: cluster.remove_node(other, allow_graceful=False)  # noqa: E731
    yield TwoMachines(cluster.address, folders, kill)
    cluster.shutdown()


@pytest.fixture
def own(demo_images: Path, tmp_path: Path) -> PreparedDemo:
    return prepare_demo(demo_images, tmp_path / "work")


def run_and_weights(own: PreparedDemo, folder: Path) -> tuple[RunSpec, dict[int, Sequence[Path]]]:
    return run_spec(own, SMALL, folder, seed=0), {fold: [] for fold in range(FOLDS)}


@pytest.fixture(scope="module")
def here(demo: PreparedDemo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run trained in this process."""
    run = tmp_path_factory.mktemp("here")
    for fold in range(FOLDS):
        train_fold(run_spec(demo, SMALL, run, seed=0), fold, Silent())
    return run


def assert_same_run(there: Path, here: Path) -> None:
    for fold in range(FOLDS):
        ours, theirs = (read_folder(fold_folder(run, fold)) for run in (here, there))
        assert {"model.weights.h5", "validation.npz", "fold.json"} <= theirs.keys()
        for name in ("model.weights.h5", "validation.npz"):
            assert ours[name] == theirs[name]


def test_a_run_on_two_machines_is_the_run_trained_here(
    own: PreparedDemo, two: TwoMachines, here: Path, tmp_path: Path
) -> None:
    there = tmp_path / "runs" / "there"
    with connect(two.address) as cluster:
        assert cluster.capacity == 2
        train_folds(cluster, *run_and_weights(own, there), Silent())
        before = {path: path.stat().st_mtime_ns for path in there.rglob("*") if path.is_file()}
        train_folds(cluster, *run_and_weights(own, there), Silent())
    assert {path: path.stat().st_mtime_ns for path in before} == before
    # Each machine unpacked the workspace for itself, and has removed its folds.
    for folder in two.folders:
        assert len(list(folder.glob("*/index.csv"))) == 1
        assert not list(folder.rglob("fold.json"))
    assert_same_run(there, here)


def test_masks_learned_on_two_machines_are_those_learned_here(
    own: PreparedDemo, two: TwoMachines
) -> None:
    recipe = make_recipe(
        {
            "model": "unet_small",
            "loss": "dice",
            "epochs": 1,
            "steps": 2,
            "segmentation": {"size": 32},
        }
    )
    data = load_masked(own.prepared, own.workspace, Pipeline.parse("gray | resize", 32), Silent())
    here, there = (
        RunSpec(make_task(data), own.workspace, recipe, data.fold, 0, own.workspace.runs / name)
        for name in ("here", "there")
    )
    for fold in range(FOLDS):
        train_fold(here, fold, Silent())
    with connect(two.address) as cluster:
        train_folds(cluster, there, {fold: [] for fold in range(FOLDS)}, Silent())
    for fold in range(FOLDS):
        for name in ("model.weights.h5", "validation.npz"):
            ours, theirs = (run.fold_folder(fold) / name for run in (here, there))
            assert ours.read_bytes() == theirs.read_bytes()


def test_a_machine_that_dies_leaves_its_folds_to_another(
    own: PreparedDemo, two: TwoMachines, here: Path, tmp_path: Path
) -> None:
    there, killed = tmp_path / "runs" / "there", threading.Event()

    def kill_in_mid_fold() -> None:
        while not list(two.folders[1].glob("*/runs/there/fold-*/**/*resume*")):
            time.sleep(0.05)
        two.kill_the_other()
        killed.set()

    with connect(two.address) as cluster:
        threading.Thread(target=kill_in_mid_fold, daemon=True).start()
        train_folds(cluster, *run_and_weights(own, there), Silent())
        assert killed.wait(30)
        assert cluster.capacity == 1
    assert_same_run(there, here)


def test_a_search_on_two_machines_finds_its_best(own: PreparedDemo, two: TwoMachines) -> None:
    space = make_space({"learning_rate": [1e-4, 1e-3, 1e-2]})
    with connect(two.address) as cluster:
        result = tune_recipe(
            "demo", own.prepared, own.workspace, SMALL, space,
            SearchBudget(trials=3, workers=cluster.capacity),
            RayTrialLauncher(cluster, own.prepared, own.workspace), Silent(),
        )  # fmt: skip
    assert result.trials["state"].tolist() == ["finished"] * 3
    assert result.trials["epochs"].tolist() == [SMALL.epochs] * 3
    assert result.score == result.trials["score"].max()
