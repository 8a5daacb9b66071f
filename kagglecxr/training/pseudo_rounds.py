"""Rounds of self-training: each learns from what the one before sees in the test part."""

from pathlib import Path

from kagglecxr.core.metrics import METRICS
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import read_run
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.prepare import PreparedData
from kagglecxr.training.pseudo_labels import Teacher, check_pseudo_labels
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.run import RunOptions, share_time, train_run


def train_pseudo_rounds(
    prepared: PreparedData,
    workspace: Workspace,
    recipe: Recipe,
    reporter: Reporter,
    options: RunOptions = RunOptions(),  # noqa: B008 frozen
    *,
    rounds: int = 0,
) -> Path:
    """Trains a run, and then students of it as long as each is better than its teacher.

    Round 0 is the run itself. In each further round every fold's student is trained anew, on its
    labelled images and on the test part with the soft answers of the same fold's model of the
    round before: see `pseudo_labels` for why of that model alone. A round is better if its
    out-of-fold score is, by the competition's metric and on true labels; the first that is not
    ends the rounds. Each is a run of its own, so that a kill costs no more than an epoch.

    Args:
        prepared: the data.
        workspace: where the runs go.
        recipe: how to train, the same in every round.
        reporter: told of every batch, and of each round's score.
        options: as `train_run` takes them, the same in every round.
        rounds: the most students; 0 for none.

    Returns:
        The folder of the best run.

    Raises:
        SettingError: a recipe that cannot learn so.
        MissingError: there is no test part.
    """
    if rounds:
        check_pseudo_labels(prepared, recipe)
    best = train_run(prepared, workspace, recipe, reporter, share_time(options, rounds + 1))
    metric = METRICS[prepared.competition.metric.name]
    for number in range(1, rounds + 1):
        student = train_run(
            prepared, workspace, recipe, reporter,
            share_time(options, rounds + 1 - number), Teacher(best, number),
        )  # fmt: skip
        before, after = (read_run(run).metrics[f"oof_{metric.name}"] for run in (best, student))
        told = f"Round {number}: out-of-fold {metric.name} {after:.4f} after {before:.4f}"
        if not metric.better(after, before):
            reporter.note(f"{told}: not better, so {best.name} is kept and no more rounds follow.")
            break
        reporter.note(f"{told}: {student.name} is kept.")
        best = student
    return best
