"""Averages the weights of several runs, or of the folds of one run, into one network.

Wortsman et al. 2022, "Model soups: averaging weights of multiple fine-tuned models improves
accuracy without increasing inference time" (arXiv:2203.05482), algorithm 1, the greedy soup. It
works where all runs start from the same trained weights; the mean of two nets that started from
random weights is as bad as no training, and the greedy rule leaves the second out.
"""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kagglecxr.core.errors import SettingError
from kagglecxr.core.files import digest, write_json
from kagglecxr.core.metrics import Metric
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import WEIGHTS, RunRecord, fold_folder
from kagglecxr.core.seeding import derive_seed
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.index import read_folds, write_folds
from kagglecxr.data.prepared import PreparedData
from kagglecxr.inference.members import read_compatible_run
from kagglecxr.models.runtime import seed_everything
from kagglecxr.models.weights.hdf5 import save_weights
from kagglecxr.training.fold import FoldSummary
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.run_results import SOURCE_RUNS, finish_run
from kagglecxr.training.run_spec import RunSpec
from kagglecxr.training.soups.mean_weights import AveragedFold
from kagglecxr.training.tasks import make_task


def make_soup(
    prepared: PreparedData, workspace: Workspace, runs: Sequence[Path], reporter: Reporter
) -> Path:
    """The greedy soup of runs of one architecture on the same folds, as a run of its own.

    Runs are tried in the order of their out-of-fold scores and stay in the soup where its own does
    not fall: below the best run's, nor below that of the best run with its batch statistics
    recalibrated as the soup's are, so that it is the mean that is judged. Fold k of the soup is
    the mean of its runs' folds k alone, so that it has not seen the images held out there; all
    folds are of the same runs. Since the runs are chosen by it, the soup's out-of-fold score is a
    little optimistic. Of a single run it is `make_fold_soup`'s.

    Returns:
        The folder of the soup, which is a finished run as any other; the best run's own, and
        nothing is written, where no other run helps.

    Raises:
        SettingError: runs of different architectures or folds, or without out-of-fold scores.
        DataError: a run was trained for other targets or images.
    """
    if len(runs) == 1:
        return make_fold_soup(prepared, workspace, runs[0], reporter)
    task = make_task(prepared)
    members = _best_first({run: read_compatible_run(run, prepared) for run in runs}, task.metric)
    runs, records = list(members), list(members.values())
    _check_alike(records)
    names = [record.name for record in records]
    folder = workspace.runs / f"soup-{digest(names, task.metric.name)[:8]}"
    if (folder / "run.json").is_file():
        reporter.note(f"This soup is made already: {folder}")
        return folder
    seed_everything(derive_seed(records[0].seed, "soup"))
    fold_of = read_folds(runs[0] / "folds.csv", prepared.index)
    recipe = Recipe.model_validate(records[0].recipe)
    soup = RunSpec(task, workspace, recipe, fold_of, records[0].seed, folder)
    mean = AveragedFold(soup, runs)
    chosen = _select(members, mean, reporter)
    if len(chosen) == 1:
        reporter.note(f"No other run helps {names[0]}, so no soup is made.")
        return runs[0]
    write_folds(
        folder / "folds.csv", prepared.index.column("id", prepared.index.rows("train")), fold_of
    )
    _write(mean, {run: members[run] for run in chosen})
    return folder


def _best_first(members: dict[Path, RunRecord], metric: Metric) -> dict[Path, RunRecord]:
    scores = {run: _score(record, metric) for run, record in members.items()}
    # By name first, so that equal scores have one order whatever was typed.
    named = sorted(members, key=lambda run: members[run].name)
    order = sorted(named, key=scores.__getitem__, reverse=metric.greater_is_better)
    return {run: members[run] for run in order}


def _score(record: RunRecord, metric: Metric) -> float:
    score = record.metrics.get(f"oof_{metric.name}", math.nan)
    if math.isnan(score):
        raise SettingError(
            f"A run without an out-of-fold score cannot be judged in a soup. Received: "
            f"{record.name}. Leave it out."
        )
    return score


def _select(members: dict[Path, RunRecord], mean: AveragedFold, reporter: Reporter) -> list[Path]:
    """The runs that stay, the best first."""
    (first, record), *others = members.items()
    task = mean.soup.task
    metric = task.metric

    def score(runs: Sequence[Path]) -> float:
        fold_of = mean.soup.fold_of
        by_fold = [mean.predict(runs, fold) for fold in range(record.folds)]
        # The images in the order of their folds, as one part.
        order = np.argsort(np.argsort(fold_of, kind="stable"), kind="stable")
        everything = {
            view: np.concatenate([part[view] for part in by_fold])[order] for view in by_fold[0]
        }
        return task.held_out(np.ones(len(fold_of), np.bool_), everything).score()

    with reporter.bar("Averaging weights", len(members)) as bar:
        chosen, best, recalibrated = [first], _score(record, metric), score([first])
        reporter.note(
            f"{record.name}: out-of-fold {metric.name} {best:.4f}, with batch statistics "
            f"recalibrated as a soup's {recalibrated:.4f}"
        )
        best = recalibrated if metric.better(recalibrated, best) else best
        bar.advance()
        for run, other in others:
            reached = score([*chosen, run])
            stays = reached == best or metric.better(reached, best)
            outcome = "which stays" if stays else "left out"
            reporter.note(f"with {other.name}: {reached:.4f}, {outcome}")
            if stays:
                chosen, best = [*chosen, run], reached
            bar.advance()
    return chosen


def _write(mean: AveragedFold, members: dict[Path, RunRecord]) -> None:
    """Writes the soup as a run."""
    soup, (first, *_) = mean.soup, members.values()
    names = [member.name for member in members.values()]
    saved = {"seed": soup.seed, SOURCE_RUNS: names, **soup.recipe.model_dump(mode="json")}
    write_json(soup.folder / "recipe.json", saved)
    for fold in range(soup.folds):
        folder = soup.fold_folder(fold)
        held_out = soup.task.held_out(soup.fold_of == fold, mean.predict(list(members), fold))
        held_out.save(folder / "validation.npz")
        save_weights(mean.model, folder / WEIGHTS)
        seconds = sum(member.seconds[fold] for member in members.values())
        FoldSummary(round(seconds, 1), first.parameters, {}).write(folder)
    finish_run(soup, names)


def _check_alike(records: Sequence[RunRecord]) -> None:
    first = _architecture(records[0])
    for record in records[1:]:
        for name, value in _architecture(record).items():
            if value != first[name]:
                raise SettingError(
                    f"Only runs of one architecture on the same folds can be averaged. Received: "
                    f"{record.name} with {name} {value}, {records[0].name} with {first[name]}. "
                    "Name runs that differ in their seed or their training alone."
                )


def _architecture(record: RunRecord) -> dict[str, object]:
    return {
        "model": record.model,
        "model options": record.recipe["model_options"],
        "images": record.input_shape,
        "index": record.data["index"],
        "folds": record.data["folds"],
    }


def make_fold_soup(
    prepared: PreparedData, workspace: Workspace, run: Path, reporter: Reporter
) -> Path:
    """The mean of all folds of a run, as a run of one network, which predicts as fast as a fold.

    It has no out-of-fold score, and no fold can be chosen or left out by one: each training image
    was seen by all of the folds but one, so any two of them have seen it. What it is worth only a
    test set tells. It works where the folds start from the same trained weights.

    Raises:
        SettingError: a run of a single network.
        DataError: it was trained for other targets or images.
    """
    record = read_compatible_run(run, prepared)
    if record.folds < 2:
        raise SettingError(
            f"A soup is of several runs, or of the folds of one. Received: {record.name} alone, "
            "which is one network already. Name several runs, or one with folds."
        )
    folder = workspace.runs / f"soup-{digest(record.name, 'folds')[:8]}"
    reporter.note(
        f"The mean of the folds of {record.name} has no out-of-fold score: every training image "
        "was seen by all of its folds but one."
    )
    if (folder / "run.json").is_file():
        return folder
    seed_everything(derive_seed(record.seed, "soup"))
    fold_of = read_folds(run / "folds.csv", prepared.index)
    recipe = Recipe.model_validate(record.recipe)
    soup = RunSpec(make_task(prepared), workspace, recipe, fold_of, record.seed, folder)
    mean = AveragedFold(soup, [run])
    mean.load_all_folds(run)
    write_json(
        folder / "recipe.json", {"seed": record.seed, SOURCE_RUNS: [record.name], **record.recipe}
    )
    save_weights(mean.model, fold_folder(folder, 0) / WEIGHTS)
    dataclasses.replace(
        record,
        name=folder.name,
        folds=1,
        # No fold is held out, so that no training on the same images may start from it.
        data=record.data | {"folds": "none is held out", SOURCE_RUNS: record.name},
        seconds=[sum(record.seconds)],
        metrics={},
    ).write(folder)
    return folder
