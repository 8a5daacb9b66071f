"""Predicts a rehearsal test set with attached runs, and scores and ranks the submission.

Expected: not measured yet.
A dataset has no leaderboard: the test set is what `prepare` sets aside, here as where the runs were
trained. It needs no internet.
"""

import shutil

from kagglecxr.remote.kernels.scripts.bootstrap import INPUT, SCRATCH, WORKING, install_wheels

COMPETITION = "demo"  # a preset's name, or the text of a TOML file
RUNS: list[str] = []  # names of attached runs; defaults to all
SIZE = 224
PIPELINE = "gray | resize"
TEST = 0.2  # share of a test set, if the data have none
FOLDS = 5
SEED = 0
HOURS = 12.0  # after which Kaggle ends the session


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
