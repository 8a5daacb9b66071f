"""`train` with several seeds and with pseudo-labels, and soups of what it trained."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from kagglecxr.core.files import read_json
from kagglecxr.inference.predictions import Predictions
from tests.conftest import prepare_demo
from tests.test_verbs import TINY, refused, verb

SHARED = Path(__file__).parents[1].parent / "shared" / "weights"
WORK = ["demo", "--work", "work"]
ROUNDS = [*WORK, *TINY, "--set", "steps=3", "--folds", "2", "--pseudo-rounds", "1"]


@pytest.fixture(scope="module")
def place(demo_images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with the demo prepared in it."""
    folder = tmp_path_factory.mktemp("user")
    prepare_demo(demo_images, folder / "work")
    return folder


def runs_of(place: Path) -> dict[str, dict[str, object]]:
    return {path.parent.name: read_json(path) for path in place.glob("work/runs/*/run.json")}


@pytest.mark.slow
def test_rounds_of_a_single_fold_are_refused(place: Path) -> None:
    assert "fold 0 alone" in refused("train", *ROUNDS, "--fold", "0", cwd=place)
    assert "--seeds 0" in refused("train", *WORK, *TINY, "--seeds", "0", cwd=place)


@pytest.mark.slow
def test_seeds_are_trained_reported_and_averaged(place: Path) -> None:
    done = verb("train", *WORK, *TINY, "--seeds", "2", "--folds", "2", cwd=place)
    assert (done.returncode, done.stderr) == (0, "")
    names = re.findall(r"\((cnn_small-\w+)\)", done.stdout)
    assert f"Next: python -m kagglecxr.ensemble demo {' '.join(names)}" in done.stdout
    assert {runs_of(place)[name]["seed"] for name in names} == {0, 1}
    base = f"work/runs/{names[0]}"
    tuned = verb(
        "train", *WORK, *TINY, "--seeds", "2", "--folds", "2", "--set", f"weights={base}",
        "--set", "learning_rate=1e-5", cwd=place,
    )  # fmt: skip
    found = re.findall(r"\((cnn_small-\w+)\)", tuned.stdout)
    soup = verb("ensemble", *WORK, *found, "--soup", cwd=place)
    assert soup.returncode == 0, soup.stderr
    assert re.search(r"which stays|No other run helps", soup.stderr)
    assert re.search(r"Blended (soup|cnn_small)-\w+ \(out-of-fold", soup.stdout)
    alone = verb("ensemble", *WORK, names[0], "--soup", cwd=place)
    assert "has no out-of-fold score" in alone.stderr
    assert re.search(r"Blended soup-\w+ \(no out-of-fold score", alone.stdout)


@pytest.mark.slow
def test_a_round_killed_at_any_moment_ends_the_same(demo_images: Path, tmp_path: Path) -> None:
    killed, straight = tmp_path / "killed", tmp_path / "straight"
    for folder in (killed, straight):
        prepare_demo(demo_images, folder / "work")
    done = verb("train", *ROUNDS, cwd=straight)
    assert done.returncode == 0, done.stderr
    assert re.search(r"Round 1: out-of-fold balanced_accuracy 0\.\d+ after 0\.\d+", done.stderr)
    for file in ("pseudo_labels.npz", "stage-1/resume.json", "fold.json"):
        process = subprocess.Popen(
            [sys.executable, "-m", "kagglecxr.train", *ROUNDS],
            cwd=killed, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "KERAS_HOME": "/nonexistent"},
        )  # fmt: skip
        deadline = time.monotonic() + 300
        while process.poll() is None and not _student_has(killed, file):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.kill()
        process.wait()
    assert verb("train", *ROUNDS, cwd=killed).returncode == 0
    assert runs_of(killed).keys() == runs_of(straight).keys()
    for name, record in runs_of(straight).items():
        one, other = (
            Predictions.load(place / "work/runs" / name / "oof.npz") for place in (killed, straight)
        )
        np.testing.assert_array_equal(one.probabilities, other.probabilities)
        assert record["metrics"] == runs_of(killed)[name]["metrics"]
    taught = [record["data"].get("source_runs") for record in runs_of(straight).values()]
    assert sorted(map(str, taught)) == sorted(["None", *(set(runs_of(straight)) & set(taught))])


def _student_has(place: Path, file: str) -> bool:
    students = {path.parent for path in place.glob("work/runs/*/fold-0/pseudo_labels.npz")}
    return any((student / file).exists() for student in students)


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="the ImageNet weights are not here")
def test_a_time_limit_alone_trains_what_fits_and_blends_it(place: Path) -> None:
    # A name that the verb is given, as a user's folder of weights is.
    done = verb(
        "train", *WORK, "--timeout", "90s", "--set", f"weights={SHARED}", "--seed", "3", cwd=place
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"mobilenet-\w+: \d+ s, \d+ s were expected\.", done.stderr)
    found = re.search(r"Trained (\d) runs; blended, out-of-fold [a-z ]+ (0\.\d+)\.", done.stdout)
    assert found, done.stdout
    names = done.stdout.rsplit("ensemble demo ", 1)[1].split("--work")[0].split()
    assert len(names) == int(found[1])
    assert set(names) <= runs_of(place).keys()
