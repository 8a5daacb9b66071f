"""Trains the folds of a run on Kaggle's machines, and packs the run for download.

Expected: not measured yet.
`python -m kagglecxr.kernel output` downloads the archive of the run.
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
SIZE = 224
PIPELINE = "gray | resize"
TEST = 0.2  # share of a test set, if the data have none
FOLDS = 5
SEED = 0
RECIPE = "default"  # a recipe's name, or the text of a TOML file
CHANGES: list[str] = []  # entries of the recipe, as "epochs=3"
FOLD = None  # the number of the one fold to train; defaults to all
HOURS = 12.0  # after which Kaggle ends the session
MARGIN = 0.5  # of them, reserved for what follows the training

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
    """Prepares the images, trains on them, and packs what was trained."""
    from kagglecxr.data.competition import load_competition
    from kagglecxr.data.files.kaggle_input import locate_input
    from kagglecxr.remote.datasets.run_archives import pack_run
    from kagglecxr.remote.kernels.session import Session

    with Session(INPUT, SCRATCH, HOURS - MARGIN) as session:
        competition = session.as_file(COMPETITION, "competition")
        described = load_competition(competition)
        data = [] if described.source.kind == "demo" else ["--data", locate_input(described, INPUT)]
        shape = ["--size", SIZE, "--pipeline", PIPELINE, "--test", TEST, "--folds", FOLDS]
        session.run_verb("prepare", competition, *data, *shape, "--seed", SEED)
        recipe = ["--recipe", session.as_file(RECIPE, "recipe")]
        recipe += [word for change in CHANGES for word in ("--set", change)]
        if FOLD is not None:
            recipe += ["--fold", FOLD]
        limit = ["--timeout", session.deadline.left()]
        session.run_verb("train", competition, *recipe, *limit, "--seed", SEED)
        for run in (session.work / "runs").iterdir():
            pack_run(run, WORKING)
            for picture in run.glob("*.png"):
                shutil.copy(picture, WORKING)


if __name__ == "__main__":
    install_wheels()
    main()
