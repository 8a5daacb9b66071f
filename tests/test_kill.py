"""Killed with SIGKILL, and started again: the same files, and no finished work done twice."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kagglecxr.core.cli import make_app, run_app
from kagglecxr.train import train
from tests.conftest import PreparedDemo, prepare_demo

TRAIN = [
    sys.executable, "-m", "kagglecxr.train", "demo", "--work", "work", "--folds", "2",
    "--recipe", "cpu_scratch", "--set", "epochs=2", "--set", "model_options.width=4",
    "--set", "optimizer=sgd", "--set", "steps=2",
]  # fmt: skip


def _kill_when(words: list[str], cwd: Path, is_time: Callable[[], bool]) -> None:
    process = subprocess.Popen(words, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while not is_time():
        assert process.poll() is None, process.stderr and process.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def _finish(words: list[str], cwd: Path) -> None:
    subprocess.run(words, cwd=cwd, check=True, capture_output=True, timeout=300)


def _run(cwd: Path) -> Path:
    (run,) = (cwd / "work" / "runs").iterdir()
    return run


def _finish_here(words: list[str], cwd: Path) -> None:
    """The same in this process: nothing kills it, and Keras may be imported already."""
    app = make_app("train")
    app.default(train)
    with contextlib.chdir(cwd):
        assert run_app(app, words[3:]) == 0


@pytest.mark.slow
def test_a_fold_killed_between_epochs_ends_the_same(demo: PreparedDemo, tmp_path: Path) -> None:
    killed, straight = tmp_path / "killed", tmp_path / "straight"
    for folder in (killed, straight):
        shutil.copytree(demo.workspace.root, folder / "work")
    one_fold = [*TRAIN, "--fold", "1"]
    _finish_here(one_fold, straight)
    runs = killed / "work" / "runs"
    _kill_when(one_fold, killed, lambda: any(runs.glob("*/fold-1/stage-1/resume.json")))
    assert not any(runs.glob("*/fold-1/fold.json"))
    _finish(one_fold, killed)
    assert _run(killed).name == _run(straight).name
    one, other = (_run(folder) / "fold-1" for folder in (killed, straight))
    assert (one / "model.weights.h5").is_file()
    with (
        np.load(one / "validation.npz") as answers,
        np.load(other / "validation.npz") as expected,
    ):
        np.testing.assert_array_equal(answers["probabilities"], expected["probabilities"])
    # TensorBoard's own files have the time in their names.
    names = [
        sorted(p.name for p in _run(f).rglob("*") if ".tfevents." not in p.name)
        for f in (killed, straight)
    ]
    assert names[0] == names[1]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_training_killed_at_random_moments_ends_the_same(
    demo_images: Path, tmp_path: Path, seed: int
) -> None:
    killed, straight = tmp_path / "killed", tmp_path / "straight"
    for folder in (killed, straight):
        prepare_demo(demo_images, folder / "work")
    _finish(TRAIN, straight)
    random = np.random.default_rng(seed)
    for seconds in random.uniform(2.0, 14.0, 4):
        process = subprocess.Popen(
            TRAIN, cwd=killed, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    _finish(TRAIN, killed)
    with np.load(_run(killed) / "oof.npz") as one, np.load(_run(straight) / "oof.npz") as other:
        np.testing.assert_array_equal(one["probabilities"], other["probabilities"])
