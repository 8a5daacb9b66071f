"""Searches for a better recipe on Kaggle's machines.

Expected: not measured yet.
It saves the best recipe as a TOML file, for `train --recipe`, and the journal of the search. With
this kernel's own output attached as an input, the next version continues the search.
"""

import shutil
import subprocess

from kagglecxr.remote.kernels.scripts.bootstrap import INPUT, SCRATCH, WORKING, install_wheels

COMPETITION = "demo"  # a preset's name, or the text of a TOML file
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
