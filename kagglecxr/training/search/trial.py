"""The process of one trial: TensorFlow's memory grows with every model, and goes with its process.

Run as `python -m kagglecxr.training.search.trial` with a `Job` as one line on its standard input.
It ends when that is closed, so no trial outlives the search that began it.
"""

import functools
import os
import shutil
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import optuna

from kagglecxr.core.errors import CxrError
from kagglecxr.core.files import read_json, write_json
from kagglecxr.core.progress import Silent
from kagglecxr.core.run import fold_folder
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import load_competition
from kagglecxr.data.preparation import Prepared, load_prepared
from kagglecxr.inference.predictions import Predictions
from kagglecxr.models.runtime import start_keras
from kagglecxr.training.fold import Conditions, train_fold
from kagglecxr.training.fold_data import Fitting
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.search.job import Job, Outcome
from kagglecxr.training.search.preprocessing import with_cache
from kagglecxr.training.search.processes import LOG
from kagglecxr.training.search.study import open_trial
from kagglecxr.training.starting_weights import Split, reachable, starting_weights

Report = Callable[[int, float], bool]
"""Takes an epoch's number and score; whether the training is to be given up."""


class EpochScore(keras.callbacks.Callback):  # type: ignore[misc]
    """Reports a score after each epoch, and gives up a training that is not promising.

    Args:
        score: of what has been learned so far, on the held-out images.
        report: see `Report`.
        kept: a file with the scores so far, from which a training that was killed reports again.
    """

    def __init__(self, score: Callable[[], float], report: Report, kept: Path) -> None:
        super().__init__()
        self._score, self._report, self._kept = score, report, kept
        self._scores: dict[str, float] = read_json(kept) if kept.is_file() else {}

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Reports this epoch, unless `report_kept` did.

        Raises:
            TrialPruned: the score is no good.
        """
        if str(epoch + 1) in self._scores:
            # A kill came between this file and the fold's own, and the epoch is trained again.
            return
        self._scores[str(epoch + 1)] = self._score()
        write_json(self._kept, self._scores)
        if self._report(epoch + 1, self._scores[str(epoch + 1)]):
            raise optuna.TrialPruned


def report_kept(kept: Path, report: Report) -> None:
    """Reports what a fold had reached before a kill, or before it was finished."""
    for epoch, score in (read_json(kept) if kept.is_file() else {}).items():
        report(int(epoch), score)


def train_trial(prepared: Prepared, workspace: Workspace, job: Job, trial: optuna.Trial) -> Outcome:
    """Trains the folds of a trial; its score is that of the held-out images, mean of the folds.

    The score of an epoch is that of the images as they are, the last that of the recipe's views.

    Args:
        prepared: the data as the workspace holds them.
        workspace: the competition's.
        job: what to train, and where; weights are removed again.
        trial: told of every epoch.
    """
    recipe, folder = Recipe.model_validate(job.recipe), Path(job.folder)
    prepared = with_cache(prepared, workspace, job.cache)
    sources = reachable(recipe, Silent())
    split = Split.of(workspace, workspace.folds)
    metric = prepared.competition.rules().metric
    epochs = sum(stage.epochs for stage in recipe.in_stages())
    scores: list[float] = []
    for fold in range(job.folds):
        place = fold_folder(folder, fold)
        place.mkdir(parents=True, exist_ok=True)
        truth = prepared.target_ids()[prepared.fold == fold]
        kept, report = place / "scores.json", _reporter(trial, epochs * fold, list(scores))
        report_kept(kept, report)
        watch = functools.partial(_watch, functools.partial(metric, truth), report, kept)

        def weights(fold: int) -> Sequence[Path]:
            return starting_weights(sources, recipe.model, fold, split, prepared, prepared.fold)

        try:
            train_fold(
                prepared, recipe, prepared.fold, fold, place, job.seed, Silent(),
                Conditions(weights=weights, callbacks=watch),
            )  # fmt: skip
        except optuna.TrialPruned:
            shutil.rmtree(place)
            return Outcome("pruned")
        for kept_weights in place.rglob("*.weights.h5"):
            kept_weights.unlink()
        held_out = Predictions.load(place / "validation.npz")
        scores.append(metric(held_out.truth, held_out.probabilities))
    return Outcome("finished", float(np.mean(scores)))


def _watch(
    score: Callable[[npt.NDArray[np.float32]], float], report: Report, kept: Path, fitting: Fitting
) -> list[EpochScore]:
    return [EpochScore(lambda: score(fitting.answers(["as_is"])), report, kept)]


def _reporter(trial: optuna.Trial, epochs_before: int, scores_before: Sequence[float]) -> Report:
    def report(epoch: int, score: float) -> bool:
        trial.report(float(np.mean([*scores_before, score])), epochs_before + epoch)
        return trial.should_prune()

    return report


def _end_with_the_search() -> None:
    sys.stdin.read()
    # Not `sys.exit`: the training runs in another thread, and is kept as of its last epoch.
    os._exit(1)


def _print_to(log: Path) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    with log.open("ab") as stream:
        for descriptor in (1, 2):
            os.dup2(stream.fileno(), descriptor)


def _run(job: Job) -> Outcome:
    try:
        competition = load_competition(job.competition)
        workspace = Workspace(Path(job.work), competition.name)
        prepared = load_prepared(competition, workspace)
        trial = open_trial(job.study, job.storage, job.number)
        return train_trial(prepared, workspace, job, trial)
    except CxrError as error:
        return Outcome("failed", error=str(error))
    except Exception as error:  # noqa: BLE001 what breaks one model leaves the others to be tried
        traceback.print_exc()
        return Outcome("failed", error=f"{type(error).__name__}: {error}")


def main() -> None:
    """Trains the trial that standard input names, and leaves its outcome in its folder."""
    line = sys.stdin.readline()
    if not line:
        # The search has ended without a trial for this process.
        return
    job = Job.of_line(line)
    _print_to(Path(job.folder) / LOG)
    threading.Thread(target=_end_with_the_search, daemon=True).start()
    start_keras()
    _run(job).write(Path(job.folder))
    sys.stdout.flush()
    sys.stderr.flush()
    # The other thread still reads standard input, which Python would wait for at its end.
    os._exit(0)


if __name__ == "__main__":
    main()
