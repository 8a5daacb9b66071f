"""Predicts the test set as it is mounted now, with attached runs, and writes submission.csv.

Expected: not measured yet.
It needs no internet and no training images. To score the submission, Kaggle runs it again on a
hidden test set. An image that cannot be read gets the mean prediction of the others.
"""

import sys

from kagglecxr.remote.kernels.scripts.bootstrap import INPUT, SCRATCH, WORKING, install_wheels

COMPETITION = "demo"  # a preset's name, or the text of a TOML file
RUNS: list[str] = []  # names of attached runs; defaults to all
PIPELINE = ""  # of `prepare`, for runs that do not state their own
HOURS = 9.0  # after which the competition ends the session
MARGIN = 0.5  # of them, reserved for what follows the last fold


def main() -> None:
    """Locates data and runs among the inputs, predicts, and checks the submission."""
    from kagglecxr.core.progress import Terminal
    from kagglecxr.data.competition import load_competition
    from kagglecxr.data.files.kaggle_input import locate_input
    from kagglecxr.models.runtime import setup_keras
    from kagglecxr.remote.kernels.session import Session, input_runs

    setup_keras()
    from kagglecxr.inference.predict_submission import predict_submission

    with Session(INPUT, SCRATCH, HOURS - MARGIN) as session:
        competition = load_competition(session.as_file(COMPETITION, "competition"))
        data = locate_input(competition, INPUT)
        runs = input_runs(INPUT, SCRATCH / "runs", RUNS)
        predicted = predict_submission(
            competition, data, runs, WORKING / "submission.csv", SCRATCH / "unseen", Terminal(),
            deadline=session.deadline, pipeline=PIPELINE,
        )  # fmt: skip
        sys.stdout.write(
            f"{predicted.rows} rows by {predicted.folds} of {predicted.of} folds, "
            f"{len(predicted.imputed)} of them without an image: {predicted.path}\n"
        )


if __name__ == "__main__":
    install_wheels()
    main()
