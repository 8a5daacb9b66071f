"""Several runs that differ in their seed alone, on the same folds."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from kagglecxr.core.deadline import Deadline
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import read_run
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.prepare import PreparedData
from kagglecxr.training.cluster.cluster_folds import fold_executor
from kagglecxr.training.pseudo_rounds import train_pseudo_rounds
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.run import RunOptions, describe_run, share_time
from kagglecxr.training.train_options import TrainOptions


def train_seeds(
    prepared: PreparedData,
    workspace: Workspace,
    recipe: Recipe,
    reporter: Reporter,
    extent: TrainOptions = TrainOptions(),  # noqa: B008 frozen
    seed: int = 0,
) -> list[Path]:
    """Trains a run for each of several seeds, all on the folds of the first.

    Args:
        prepared: the data.
        workspace: where the runs go.
        recipe: how to train.
        reporter: told of every batch.
        extent: how many seeds, rounds and folds, how long, and where.
        seed: the first.

    Returns:
        The folder of each seed's run, the best of its rounds.

    Raises:
        SettingError: an extent that cannot be, or no such fold.
    """
    extent.check()
    deadline = None if extent.timeout is None else Deadline.within(extent.timeout)
    with fold_executor(extent.cluster) as executor:
        options = RunOptions(seed, extent.folds, seed, extent.fold, deadline, executor)
        return [
            train_pseudo_rounds(
                prepared, workspace, recipe, reporter,
                share_time(replace(options, seed=seed + number), extent.seeds - number),
                rounds=extent.pseudo_rounds,
            )
            for number in range(extent.seeds)
        ]  # fmt: skip


def describe_seeds(runs: Sequence[Path], metric: str) -> str:
    """One sentence on finished runs of several seeds: each one's score, their mean and spread.

    The spread is the sample's standard deviation, how far another seed may lie from the mean.

    Args:
        runs: their folders.
        metric: the competition's.
    """
    if len(runs) == 1:
        return describe_run(runs[0])
    records = [read_run(run) for run in runs]
    scores = [record.metrics[f"oof_{metric}"] for record in records]
    told = ", ".join(
        f"{score:.4f} ({record.name})" for score, record in zip(scores, records, strict=True)
    )
    return (
        f"Trained {len(runs)} seeds of {records[0].model}, out-of-fold {metric} {told}: mean "
        f"{np.mean(scores):.4f} ± {np.std(scores, ddof=1):.4f}."
    )
