"""Trains the folds of a run and writes down what came out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kagglecxr.core.deadline import Deadline, TimeBudget
from kagglecxr.core.errors import DataError, SettingError
from kagglecxr.core.files import digest, write_json
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import fold_folder, read_run
from kagglecxr.core.seeding import derive_seed
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.folds import make_folds
from kagglecxr.data.index import read_folds, write_folds
from kagglecxr.data.prepare import PreparedData
from kagglecxr.training.fold import FoldOptions, train_fold
from kagglecxr.training.initial_weights import SplitDigest, fetch_weights, initial_weights
from kagglecxr.training.pseudo_labels import Teacher, check_pseudo_labels, pseudo_labels
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.remote_folds import FoldExecutor, FoldRequest
from kagglecxr.training.run_results import finish_run


def run_name(
    prepared: PreparedData, recipe: Recipe, folds: int, seed: int, besides: Sequence[str | int] = ()
) -> str:
    """The name of a run: its model, and a digest of all that decides its outcome.

    Args:
        prepared: the data.
        recipe: how to train.
        folds: how many.
        seed: of the run.
        besides: what else decides it, as the seed of its folds or its teacher.
    """
    decided = digest(
        recipe.model_dump(mode="json"), prepared.cache.key, folds, seed, _split(prepared), *besides
    )
    return f"{recipe.model}-{decided[:8]}"


@dataclass(frozen=True)
class RunOptions:
    """What a run is besides its data and recipe, and how much of it is trained now.

    Attributes:
        seed: fixes all chance.
        folds: how many; those that `prepare` made where None.
        fold_seed: fixes the folds instead, where `folds` draws them anew; `seed` where None. Runs
            of several seeds can be blended out of fold only if their folds are the same.
        only_fold: train this one alone; others may follow in later calls, or on other machines.
        deadline: when all that is wanted has to be done; its time is shared by the folds.
        fold_executor: trains the folds on other machines; None trains them in this process.
    """

    seed: int = 0
    folds: int | None = None
    fold_seed: int | None = None
    only_fold: int | None = None
    deadline: Deadline | None = None
    fold_executor: FoldExecutor | None = None


def train_run(
    prepared: PreparedData,
    workspace: Workspace,
    recipe: Recipe,
    reporter: Reporter,
    options: RunOptions = RunOptions(),
    teacher: Teacher | None = None,
) -> Path:
    """Trains the folds that are not yet trained; writes run.json once all are.

    Args:
        prepared: the data.
        workspace: where the run's folder goes.
        recipe: how to train.
        reporter: told of every batch.
        options: what else the run is.
        teacher: a run on the same folds whose answers on the test part are learned from too.

    Returns:
        The run's folder, the same for the same data, recipe, folds, seeds and teacher.

    Raises:
        SettingError: no such fold.
        DataError: fewer than two folds' worth of groups in a class.
    """
    seed, only_fold = options.seed, options.only_fold
    fold_seed = seed if options.fold_seed is None else options.fold_seed
    fold_of = _fold_of(prepared, options.folds, fold_seed)
    besides: list[str | int] = []
    drawn_anew = fold_of is not prepared.fold
    if drawn_anew and fold_seed != seed:
        besides += ["folds", fold_seed]
    if teacher:
        check_pseudo_labels(prepared, recipe)
        besides += ["pseudo-labels", teacher.run.name, teacher.round]
    count = int(fold_of.max()) + 1
    if only_fold is not None and not 0 <= only_fold < count:
        raise SettingError(
            f"There is no such fold. Received: --fold {only_fold} of {count} folds. "
            f"Use 0 to {count - 1}."
        )
    folder = workspace.runs / run_name(prepared, recipe, count, seed, besides)
    _begin(folder, prepared, recipe, fold_of, seed, teacher)
    if (folder / "run.json").is_file():
        reporter.note(f"This run is finished already: {folder}")
        return folder
    sources = fetch_weights(recipe, reporter)
    split = SplitDigest.of(workspace, folder / "folds.csv")

    def weights(fold: int) -> list[Path]:
        return initial_weights(sources, recipe.model, fold, split, prepared, fold_of)

    wanted = range(count) if only_fold is None else [only_fold]
    missing = [fold for fold in wanted if not _is_done(folder, fold)]
    conditions = FoldOptions(weights=weights)
    if teacher:
        unlabelled = partial(pseudo_labels, prepared, teacher, fold_of, folder)
        conditions = replace(conditions, unlabelled=unlabelled)
    elif options.fold_executor is not None:
        starts = {fold: weights(fold) for fold in missing}
        request = FoldRequest(workspace, folder, recipe, fold_of, starts, seed)
        options.fold_executor(request, reporter)
        missing = []
    for number, fold in enumerate(missing):
        share = TimeBudget(options.deadline, len(missing) - number) if options.deadline else None
        train_fold(
            prepared, recipe, fold_of, fold, fold_folder(folder, fold), seed, reporter,
            replace(conditions, time=share),
        )  # fmt: skip
    if all(_is_done(folder, fold) for fold in range(count)):
        summaries = [
            train_fold(prepared, recipe, fold_of, fold, fold_folder(folder, fold), seed, reporter)
            for fold in range(count)
        ]
        made_of = [teacher.run.name] if teacher else []
        finish_run(folder, prepared, recipe, workspace, summaries, seed, made_of)
    return folder


def share_time(options: RunOptions, parts: int) -> RunOptions:
    """The options of one of several runs, which has its share of the time left."""
    if options.deadline is None:
        return options
    return replace(options, deadline=options.deadline.share(parts))


def describe_run(run: Path) -> str:
    """One sentence on a finished run, for a verb's last line."""
    record = read_run(run)
    return (
        f"Trained {record.folds} folds of {record.model} in {sum(record.seconds):.0f} s, "
        f"out-of-fold accuracy {record.metrics['oof_accuracy']:.4f}, balanced "
        f"{record.metrics['oof_balanced_accuracy']:.4f}: {run}."
    )


def _is_done(run: Path, fold: int) -> bool:
    return (fold_folder(run, fold) / "fold.json").is_file()


def _split(prepared: PreparedData) -> str:
    table = prepared.index.table
    return digest(list(table["id"]), list(table["split"]), prepared.fold.tolist())


def _fold_of(prepared: PreparedData, folds: int | None, seed: int) -> npt.NDArray[np.intp]:
    if folds is None or folds == prepared.fold.max() + 1:
        return prepared.fold
    train = prepared.index.rows("train")
    label, group, source = (
        prepared.index.column(name, train) for name in ("label", "group", "source")
    )
    return make_folds(label, group, source, folds, derive_seed(seed, "folds"))


def _begin(
    folder: Path,
    prepared: PreparedData,
    recipe: Recipe,
    fold_of: npt.NDArray[np.intp],
    seed: int,
    teacher: Teacher | None,
) -> None:
    """Writes what the run is to be, so that another machine can go on with it."""
    taught = {"teacher": teacher.run.name, "round": teacher.round} if teacher else {}
    write_json(folder / "recipe.json", {"seed": seed, **taught, **recipe.model_dump(mode="json")})
    ids = prepared.index.column("id", prepared.index.rows("train"))
    path = folder / "folds.csv"
    if path.is_file() and not np.array_equal(read_folds(path, prepared.index), fold_of):
        raise DataError(
            f"A run's folds are not those of the data any more. Received: {path}. Remove the "
            "run's folder and train again."
        )
    write_folds(path, ids, fold_of)
