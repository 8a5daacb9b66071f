"""Trains several runs that differ in their seed alone, on the same folds."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from kagglecxr.core.deadline import Deadline
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import read_run
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.prepared import PreparedData
from kagglecxr.training.cluster.cluster_folds import fold_executor
from kagglecxr.training.pseudo_labels import train_pseudo_rounds
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.run import RunOptions, describe_run
from kagglecxr.training.training_options import TrainOptions


def train_seeds(
    prepared: PreparedData,
    workspace: Workspace,
    recipe: Recipe,
    reporter: Reporter,
    options: TrainOptions = TrainOptions(),  # noqa: B008 frozen
    seed: int = 0,
) -> list[Path]:
    """Trains a run for each of several seeds from `seed` on, all on the folds of the first.

    Returns:
        The folder of each seed's run, the best of its rounds.

    Raises:
        SettingError: options that contradict each other, or no such fold.
    """
    options.check()
    deadline = None if options.timeout is None else Deadline.within(options.timeout)
    with fold_executor(options.cluster) as executor:
        common = RunOptions(seed, options.folds, seed, options.fold, deadline, executor)
        runs = []
        for number in range(options.seeds):
            own = replace(common, seed=seed + number).with_time_share(options.seeds - number)
            rounds = options.pseudo_rounds
            runs.append(
                train_pseudo_rounds(prepared, workspace, recipe, reporter, own, rounds=rounds)
            )
        return runs


def describe_seeds(runs: Sequence[Path], metric: str) -> str:
    """One sentence on finished runs of several seeds: each one's score, their mean and spread.

    The spread is the sample's standard deviation, how far another seed may lie from the mean.
    """
    if len(runs) == 1:
        return describe_run(runs[0], metric)
    records = [read_run(run) for run in runs]
    scores = [record.metrics[f"oof_{metric}"] for record in records]
    each = ", ".join(
        f"{score:.4f} ({record.name})" for score, record in zip(scores, records, strict=True)
    )
    return (
        f"Trained {len(runs)} seeds of {records[0].model}, out-of-fold {metric} {each}: mean "
        f"{np.mean(scores):.4f} ± {np.std(scores, ddof=1):.4f}."
    )
