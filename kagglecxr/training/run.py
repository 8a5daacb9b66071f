"""Trains the folds of a run."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from kagglecxr.core.deadline import Deadline, TimeBudget
from kagglecxr.core.errors import DataError, SettingError
from kagglecxr.core.files import write_json
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import read_run
from kagglecxr.core.seeding import derive_seed
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.folds import make_folds
from kagglecxr.data.index import read_folds, write_folds
from kagglecxr.data.masked import MaskedData
from kagglecxr.data.prepared import PreparedData
from kagglecxr.data.sequences.semi_supervised import PseudoLabelledImages
from kagglecxr.training.fold import FoldOptions, train_fold
from kagglecxr.training.initial_weights import InitialWeights, fetch_weights
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.run_results import finish_run
from kagglecxr.training.run_spec import FoldExecutor, RunSpec, run_name
from kagglecxr.training.tasks import make_task


class Labeller(Protocol):
    """A finished run on the same folds that labels test images for another run to learn from."""

    @property
    def run(self) -> Path:
        """Its folder."""

    @property
    def round(self) -> int:
        """The round of self-training, from 1."""

    def label(self, run: RunSpec, fold: int) -> PseudoLabelledImages | None:
        """Labels the images that one fold of the other run may learn from; None without any."""


@dataclass(frozen=True)
class RunOptions:
    """What a run is besides its data and recipe, and how much of it is trained now.

    Attributes:
        seed: fixes all random choices.
        folds: how many; defaults to those that `prepare` made.
        fold_seed: fixes the folds where `folds` splits anew; defaults to `seed`. Runs of several
            seeds can be blended out of fold only if their folds are the same.
        only_fold: trains this one alone; others may follow in later calls, or on other machines.
        deadline: of all that is trained; the time is shared by the folds. None for no limit.
        fold_executor: trains the folds on other machines; None trains them in this process.
        teacher: labels test images to learn from as well; such folds train in this process.
    """

    seed: int = 0
    folds: int | None = None
    fold_seed: int | None = None
    only_fold: int | None = None
    deadline: Deadline | None = None
    fold_executor: FoldExecutor | None = None
    teacher: Labeller | None = None

    def with_time_share(self, runs: int) -> "RunOptions":
        """The options of one of several runs that are left, with its share of the time left."""
        return replace(self, deadline=self.deadline.share(runs)) if self.deadline else self


def train_run(
    prepared: PreparedData,
    workspace: Workspace,
    recipe: Recipe,
    reporter: Reporter,
    options: RunOptions = RunOptions(),
) -> Path:
    """Trains the folds that are not yet trained; writes run.json once all are.

    Returns:
        The run's folder, the same for the same data, recipe, folds, seeds and teacher.

    Raises:
        SettingError: no such fold.
        DataError: fewer than two folds' worth of groups in a class.
    """
    run = _plan_run(prepared, workspace, recipe, options)
    if (run.folder / "run.json").is_file():
        reporter.note(f"This run is finished already: {run.folder}")
        return run.folder
    weights = InitialWeights(run, fetch_weights(recipe, reporter), run.folder / "folds.csv")
    missing = [fold for fold in run.missing_folds() if options.only_fold in (None, fold)]
    if options.fold_executor and not options.teacher:
        options.fold_executor(run, {fold: weights.of_fold(fold) for fold in missing}, reporter)
    else:
        _train_folds(run, missing, weights, reporter, options)
    if not run.missing_folds():
        finish_run(run, [options.teacher.run.name] if options.teacher else [])
    return run.folder


def describe_run(folder: Path, metric: str) -> str:
    """One sentence on a finished run, for a verb's last line, with its scores by a metric."""
    record = read_run(folder)
    scores = {name[4:]: v for name, v in record.metrics.items() if name.startswith("oof_")}
    main = {
        name: scores[name]
        for name in dict.fromkeys(("accuracy", "balanced_accuracy", metric))
        if name in scores
    }
    figures = [f"{name.replace('_', ' ')} {value:.4f}" for name, value in (main or scores).items()]
    return (
        f"Trained {record.folds} folds of {record.model} in {sum(record.seconds):.0f} s, "
        f"out-of-fold {', '.join(figures)}: {folder}."
    )


def _train_folds(
    run: RunSpec,
    folds: Sequence[int],
    weights: InitialWeights,
    reporter: Reporter,
    options: RunOptions,
) -> None:
    for number, fold in enumerate(folds):
        conditions = FoldOptions(weights=partial(weights.of_fold, fold))
        if options.teacher:
            unlabelled = partial(options.teacher.label, run, fold)
            conditions = replace(conditions, unlabelled=unlabelled)
        if options.deadline:
            budget = TimeBudget(options.deadline, len(folds) - number)
            conditions = replace(conditions, budget=budget)
        train_fold(run, fold, reporter, conditions)


def _plan_run(
    prepared: PreparedData, workspace: Workspace, recipe: Recipe, options: RunOptions
) -> RunSpec:
    """What the run is, also written to its folder, so that another machine can resume it."""
    if (recipe.segmentation is None) == isinstance(prepared, MaskedData):
        raise SettingError(
            f"A recipe of masks is trained by segment. Received: one of {recipe.model} with "
            f"{prepared.competition.name}. Run: {workspace.command('segment', '--train')}"
        )
    seed, teacher = options.seed, options.teacher
    fold_seed = seed if options.fold_seed is None else options.fold_seed
    fold_of = _fold_of(prepared, options.folds, fold_seed)
    variant: list[str | int] = []
    if fold_of is not prepared.fold and fold_seed != seed:
        variant += ["folds", fold_seed]
    if teacher:
        variant += ["pseudo-labels", teacher.run.name, teacher.round]
    folds = int(fold_of.max()) + 1
    if options.only_fold is not None and not 0 <= options.only_fold < folds:
        raise SettingError(
            f"There is no such fold. Received: --fold {options.only_fold} of {folds} folds. "
            f"Use 0 to {folds - 1}."
        )
    folder = workspace.runs / run_name(prepared, recipe, folds, seed, variant)
    taught = {"teacher": teacher.run.name, "round": teacher.round} if teacher else {}
    write_json(folder / "recipe.json", {"seed": seed, **taught, **recipe.model_dump(mode="json")})
    ids = prepared.index.column("id", prepared.index.rows("train"))
    path = folder / "folds.csv"
    if path.is_file() and not np.array_equal(read_folds(path, prepared.index), fold_of):
        raise DataError(
            f"A run's folds are no longer those of the data. Received: {path}. Remove the run's "
            "folder and train again."
        )
    write_folds(path, ids, fold_of)
    return RunSpec(make_task(prepared), workspace, recipe, fold_of, seed, folder)


def _fold_of(prepared: PreparedData, folds: int | None, seed: int) -> npt.NDArray[np.intp]:
    if folds is None or folds == prepared.fold.max() + 1:
        return prepared.fold
    train = prepared.index.rows("train")
    label, group, source = (
        prepared.index.column(name, train) for name in ("label", "group", "source")
    )
    return make_folds(label, group, source, folds, derive_seed(seed, "folds"))
