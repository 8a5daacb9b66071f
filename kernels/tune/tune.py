"""Searches for a better recipe on Kaggle's machines.

Expected: not measured yet.
It saves the best recipe as a TOML file, for `train --recipe`, and the journal of the search. With
this kernel's own output attached as an input, the next version continues the search.
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
CHANGES: list[str] = []  # entries of the recipe, as "epochs=3"; they do not vary
SPACE = "cpu"  # what varies: a space's name, or the text of a TOML file
TRIALS = 40  # in all, including those of earlier versions
HOURS = 12.0  # after which Kaggle ends the session
MARGIN = 0.5  # of them, reserved for what follows the search

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
    """Prepares the images, searches, and keeps what was found."""
    from kagglecxr.data.competition import load_competition
    from kagglecxr.data.files.kaggle_input import locate_input
    from kagglecxr.remote.kernels.session import Session, restore_studies

    with Session(INPUT, SCRATCH, HOURS - MARGIN) as session:
        competition = session.as_file(COMPETITION, "competition")
        described = load_competition(competition)
        data = [] if described.source.kind == "demo" else ["--data", locate_input(described, INPUT)]
        shape = ["--size", SIZE, "--pipeline", PIPELINE, "--test", TEST, "--folds", FOLDS]
        session.run_verb("prepare", competition, *data, *shape, "--seed", SEED)
        words = ["--recipe", session.as_file(RECIPE, "recipe"), "--seed", SEED]
        words += ["--space", session.as_file(SPACE, "space"), "--trials", TRIALS]
        words += [word for change in CHANGES for word in ("--set", change)]
        earlier, left = restore_studies(INPUT, session.work / "studies"), session.deadline.left()
        try:
            # A timeout of the search counts the seconds of earlier versions too.
            limit = [] if earlier else ["--timeout", left]
            session.run_verb("tune", competition, *words, *limit, seconds=left + MARGIN * 1800)
        except subprocess.TimeoutExpired:
            # This only writes the results.
            session.run_verb("tune", competition, *words, "--timeout", 1)
        finally:
            for kind in ("recipes/*.toml", "studies/*/*.log", "studies/*/*.csv", "studies/*/*.png"):
                for file in session.work.glob(kind):
                    kept = WORKING / file.relative_to(session.work)
                    kept.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(file, kept)


if __name__ == "__main__":
    install_wheels()
    main()
