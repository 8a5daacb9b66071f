"""The process of one trial: TensorFlow's memory grows with every model, and goes with its process.

Run as `python -m kagglecxr.training.search.trial` with a `TrialSpec` as one line on its standard
input. It ends when that is closed, so no trial outlives the search that began it.
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
import optuna

from kagglecxr.core.errors import CxrError
from kagglecxr.core.files import read_json, write_json
from kagglecxr.core.progress import Silent
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import load_competition
from kagglecxr.data.prepare import PreparedData, load_prepared
from kagglecxr.inference.predictions import Predictions
from kagglecxr.models.runtime import setup_keras
from kagglecxr.training.fold import FoldOptions, train_fold
from kagglecxr.training.fold_data import FitInputs
from kagglecxr.training.initial_weights import InitialWeights, fetch_weights
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.run_spec import RunSpec
from kagglecxr.training.search.pipeline_caches import with_cache
from kagglecxr.training.search.study import open_trial
from kagglecxr.training.search.trial_process import LOG_FILE, TrialResult, TrialSpec
from kagglecxr.training.task import Part, Task, make_task

ReportScore = Callable[[int, float], bool]
"""Takes an epoch's number and score; whether the training is to be given up."""


class ReportEpochScore(keras.callbacks.Callback):  # type: ignore[misc]
    """Reports a score after each epoch, and gives up a training that is not promising.

    Args:
        score: of what has been learned so far, on the held-out images.
        report: see `ReportScore`.
        kept: a file with the scores so far, from which a training that was killed reports again.
    """

    def __init__(self, score: Callable[[], float], report: ReportScore, kept: Path) -> None:
        super().__init__()
        self._score, self._report, self._kept = score, report, kept
        self._scores: dict[str, float] = read_json(kept) if kept.is_file() else {}

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Reports this epoch, unless `replay_scores` did.

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


def replay_scores(kept: Path, report: ReportScore) -> None:
    """Reports what a fold had reached before a kill, or before it was finished."""
    for epoch, score in (read_json(kept) if kept.is_file() else {}).items():
        report(int(epoch), score)


def train_trial(
    prepared: PreparedData, workspace: Workspace, job: TrialSpec, trial: optuna.Trial
) -> TrialResult:
    """Trains the folds of a trial; its score is that of the held-out images, mean of the folds.

    The score of an epoch is that of the images as they are, the last that of the recipe's views.

    Args:
        prepared: the data as the workspace holds them.
        workspace: the competition's.
        job: what to train, and where; weights are removed again.
        trial: told of every epoch.
    """
    recipe = Recipe.model_validate(job.recipe)
    task = make_task(with_cache(prepared, workspace, job.cache))
    run = RunSpec(task, workspace, recipe, prepared.fold, job.seed, Path(job.folder))
    weights = InitialWeights(run, fetch_weights(recipe, Silent()), workspace.folds)
    epochs = sum(stage.epochs for stage in recipe.in_stages())
    scores: list[float] = []
    for fold in range(job.folds):
        place = run.fold_folder(fold)
        place.mkdir(parents=True, exist_ok=True)
        kept, report = place / "scores.json", _score_reporter(trial, epochs * fold, list(scores))
        replay_scores(kept, report)
        options = FoldOptions(
            weights=functools.partial(weights.of_fold, fold),
            callbacks=functools.partial(_score_callbacks, task, run.fold_of == fold, report, kept),
        )
        try:
            train_fold(run, fold, Silent(), options)
        except optuna.TrialPruned:
            shutil.rmtree(place)
            return TrialResult("pruned")
        for kept_weights in place.rglob("*.weights.h5"):
            kept_weights.unlink()
        scores.append(task.score(Predictions.load(place / "validation.npz")))
    return TrialResult("finished", float(np.mean(scores)))


def _score_callbacks(
    task: Task, held_out: Part, report: ReportScore, kept: Path, inputs: FitInputs
) -> list[ReportEpochScore]:
    def score() -> float:
        return task.score(task.held_out(held_out, inputs.predict(["identity"])))

    return [ReportEpochScore(score, report, kept)]


def _score_reporter(
    trial: optuna.Trial, epochs_before: int, scores_before: Sequence[float]
) -> ReportScore:
    def report(epoch: int, score: float) -> bool:
        trial.report(float(np.mean([*scores_before, score])), epochs_before + epoch)
        return trial.should_prune()

    return report


def _exit_with_parent() -> None:
    sys.stdin.read()
    # Not `sys.exit`: the training runs in another thread, and is kept as of its last epoch.
    os._exit(1)


def _redirect_output(log: Path) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    with log.open("ab") as stream:
        for descriptor in (1, 2):
            os.dup2(stream.fileno(), descriptor)


def _run(job: TrialSpec) -> TrialResult:
    try:
        competition = load_competition(job.competition)
        workspace = Workspace(Path(job.work), competition.name)
        prepared = load_prepared(competition, workspace)
        trial = open_trial(job.study, job.storage, job.number)
        return train_trial(prepared, workspace, job, trial)
    except CxrError as error:
        return TrialResult("failed", error=str(error))
    except Exception as error:  # noqa: BLE001 what breaks one model leaves the others to be tried
        traceback.print_exc()
        return TrialResult("failed", error=f"{type(error).__name__}: {error}")


def main() -> None:
    """Trains the trial that standard input names, and leaves its outcome in its folder."""
    line = sys.stdin.readline()
    if not line:
        # The search has ended without a trial for this process.
        return
    job = TrialSpec.of_line(line)
    _redirect_output(Path(job.folder) / LOG_FILE)
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    setup_keras()
    _run(job).write(Path(job.folder))
    sys.stdout.flush()
    sys.stderr.flush()
    # The other thread still reads standard input, which Python would wait for at its end.
    os._exit(0)


if __name__ == "__main__":
    main()
