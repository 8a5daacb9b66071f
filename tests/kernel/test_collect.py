"""Folds that were trained on several machines are collected into the run they are parts of."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from kagglecxr.core.errors import DataError
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import read_run
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.prepared import load_prepared
from kagglecxr.ensembling.blend import blend_runs
from kagglecxr.inference.predictions import Predictions
from kagglecxr.kernel.collect import KernelOutputs, collect_outputs
from kagglecxr.remote.datasets.run_archives import pack_run
from kagglecxr.training.recipe import make_recipe
from kagglecxr.training.run import RunOptions, train_run
from tests.conftest import PreparedDemo
from tests.ensembling.plain import PLAIN
from tests.remote.fake_kaggle import (
    FakeKaggle,
    FakeResponse,
    RecordedRequest,
    json_response,
    stored_file,
)
from tests.remote.kernels.fake_kernels import OUTPUT, STATUS, FakeKernels
from tests.training.eager_models import eagerly

FOLDS = 2
KERNELS = [f"mary/demo-train-fold-{fold}" for fold in range(FOLDS)]


def copy_of(played: PreparedDemo, folder: Path) -> Workspace:
    shutil.copytree(played.workspace.root, folder)
    return Workspace(folder, played.workspace.competition)


@pytest.fixture(scope="module")
def whole(demo: PreparedDemo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of all folds, trained on one machine."""
    workspace = copy_of(demo, tmp_path_factory.mktemp("there") / "work")
    changes = ("epochs=1", "model_options.width=4", "batch_size=64", "optimizer=sgd")
    recipe = make_recipe({}, changes)
    prepared = load_prepared(demo.competition, workspace)
    with eagerly():
        return train_run(prepared, workspace, recipe, Silent(), RunOptions(folds=FOLDS))


@pytest.fixture
def outputs(whole: Path, tmp_path: Path, fake_kaggle: FakeKaggle) -> dict[str, str]:
    """A kernel a fold, each of which left its fold alone; and what each is at."""
    status = {}
    for fold, kernel in enumerate(KERNELS):
        there = tmp_path / f"machine-{fold}" / whole.name
        shutil.copytree(whole, there)
        for name in ("run.json", "oof.npz", *(f"fold-{k}" for k in range(FOLDS) if k != fold)):
            path = there / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        address = f"http://storage.test/{fold}.zip"
        fake_kaggle.on(
            address, stored_file(pack_run(there, tmp_path / f"machine-{fold}").read_bytes())
        )
        status[kernel] = "COMPLETE"

    def look(seen: RecordedRequest) -> FakeResponse:
        return json_response({"status": status[f"mary/{seen.fields['kernelSlug']}"]})

    def listed(seen: RecordedRequest) -> FakeResponse:
        fold = seen.fields["kernelSlug"][-1]
        url = f"http://storage.test/{fold}.zip"
        return json_response({"files": [{"fileName": f"{whole.name}.zip", "url": url}]})

    fake_kaggle.on(STATUS, look)
    fake_kaggle.on(OUTPUT, listed)
    return status


def bring(demo: PreparedDemo, workspace: Workspace, kernels: list[str]) -> KernelOutputs:
    return collect_outputs(demo.competition, workspace, kernels, Silent())


def test_folds_of_several_machines_are_the_run_of_one(
    whole: Path, outputs: dict[str, str], demo: PreparedDemo, tmp_path: Path
) -> None:
    workspace = copy_of(demo, tmp_path / "home-work")
    outputs[KERNELS[1]] = "ERROR"
    collected = bring(demo, workspace, KERNELS)
    assert collected.missing == {whole.name: [1]}
    assert f"{KERNELS[1]} is not complete: error" in collected.messages
    outputs[KERNELS[1]] = "COMPLETE"
    collected = bring(demo, workspace, KERNELS)
    assert (collected.finished, collected.missing) == ([whole.name], {})
    run = workspace.run(whole.name)
    assert read_run(run).metrics == read_run(whole).metrics
    np.testing.assert_array_equal(
        Predictions.load(run / "oof.npz").probabilities,
        Predictions.load(whole / "oof.npz").probabilities,
    )
    prepared = load_prepared(demo.competition, workspace)
    blend = blend_runs(prepared, workspace, [run], tmp_path / "submissions", Silent(), PLAIN)
    assert blend.submission.is_file()
    assert bring(demo, workspace, KERNELS).finished == [whole.name]


def test_a_run_on_other_data_is_refused(
    whole: Path, outputs: dict[str, str], demo: PreparedDemo, tmp_path: Path
) -> None:
    workspace = copy_of(demo, tmp_path / "home-work")
    lines = workspace.folds.read_text().splitlines()
    swapped = {"0": "1", "1": "0"}
    changed = [f"{line[:-1]}{swapped.get(line[-1], line[-1])}" for line in lines[1:]]
    workspace.folds.write_text("\n".join([lines[0], *changed]) + "\n")
    with pytest.raises(DataError, match="other data"):
        bring(demo, workspace, KERNELS)


def test_recipes_come_where_train_finds_them(
    fake_kernels: FakeKernels, demo: PreparedDemo, tmp_path: Path
) -> None:
    fake_kernels.files = {"recipes/best.toml": b"epochs = 3\n", "studies/a/journal.log": b"{}\n"}
    fake_kernels.status["demo-tune"] = "COMPLETE"
    workspace = Workspace(tmp_path / "work", "demo")
    collected = bring(demo, workspace, ["mary/demo-tune"])
    assert (workspace.recipes / "best.toml").read_bytes() == b"epochs = 3\n"
    names = [path.name for path in collected.files]
    assert names == ["best.toml", "journal.log", "demo-tune.log"]
