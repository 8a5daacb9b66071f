"""Predicts a rehearsal test set with attached runs, and scores and ranks the submission.

Expected: not measured yet.
A dataset has no leaderboard: the test set is what `prepare` sets aside, here as where the runs were
trained. It needs no internet.
"""

import importlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

COMPETITION = "covid19-radiography"  # a preset's name, or the text of a TOML file
RUNS: list[str] = []  # names of attached runs; defaults to all
SIZE = 224
PIPELINE = "gray | resize"
TEST = 0.2  # share of a test set, if the data have none
FOLDS = 5
SEED = 0
HOURS = 12.0  # after which Kaggle ends the session

INPUT = Path(os.environ.get("KAGGLECXR_INPUT", "/kaggle/input"))
WORKING = Path(os.environ.get("KAGGLECXR_WORKING", "/kaggle/working"))
SCRATCH = Path(os.environ.get("KAGGLECXR_SCRATCH", "/kaggle/temp"))


def install_wheels() -> None:
    """Installs the attached wheels that are missing, wherever and however Kaggle mounts them."""
    files = [Path(folder, name) for folder, _, names in os.walk(INPUT) for name in names]
    wheels = [path for path in files if path.suffix == ".whl"]
    for path in files:
        if path.suffix == ".zip" and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                inside = [name for name in archive.namelist() if name.endswith(".whl")]
                wheels += [Path(archive.extract(name, SCRATCH)) for name in inside]
    newest = {path.name.partition("-")[0]: path for path in sorted(wheels, key=lambda p: p.name)}
    known = importlib.metadata.distributions
    missing = [str(path) for name, path in newest.items() if not any(known(name=name))]
    if missing:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
        subprocess.run([*pip, *missing], check=True)
    # A wheel that Kaggle has unpacked is used from where it is.
    folders = [str(path.parents[1]) for path in files if path.match("*.dist-info/METADATA")]
    sys.path += folders
    os.environ["PYTHONPATH"] = os.pathsep.join([*folders, os.environ.get("PYTHONPATH", "")])
    importlib.invalidate_caches()


def main() -> None:
    """Prepares the images as for the runs, blends these, and scores what they predict."""
    from kagglecxr.data.competition import load_competition
    from kagglecxr.data.files.kaggle_input import locate_input
    from kagglecxr.remote.kernels.session import Session, input_runs

    with Session(INPUT, SCRATCH, HOURS) as session:
        competition = session.as_file(COMPETITION, "competition")
        described = load_competition(competition)
        data = [] if described.source.kind == "demo" else ["--data", locate_input(described, INPUT)]
        runs = input_runs(INPUT, session.work / "runs", RUNS)
        for run in runs:
            if run.parent != session.work / "runs":
                shutil.copytree(run, session.work / "runs" / run.name, dirs_exist_ok=True)
        shape = ["--size", SIZE, "--pipeline", PIPELINE, "--test", TEST, "--folds", FOLDS]
        session.run_verb("prepare", competition, *data, *shape, "--seed", SEED)
        session.run_verb("ensemble", competition, *(run.name for run in runs), "--seed", SEED)
        session.run_verb("submit", competition, "--local")
        for file in (SCRATCH / "submissions").glob("*.csv"):
            name = file.name if file.name == "ledger.csv" else "submission.csv"
            shutil.copy(file, WORKING / name)


if __name__ == "__main__":
    install_wheels()
    main()
