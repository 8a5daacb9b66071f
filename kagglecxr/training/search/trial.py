"""The process of one trial, since TensorFlow's memory grows with every model that is built.

Run as `python -m kagglecxr.training.search.trial`, with a `TrialSpec` as one line on standard
input. The process ends when standard input is closed, so no trial outlives its search.
"""

import functools
import os
import shutil
import sys
import threading
import traceback
from collections.abc import Callable
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
from kagglecxr.data.prepared import PreparedData, load_prepared
from kagglecxr.inference.predictions import PLAIN_VIEW
from kagglecxr.models.runtime import setup_keras
from kagglecxr.training.fold import FoldOptions, train_fold
from kagglecxr.training.fold_data import FitInputs
from kagglecxr.training.initial_weights import InitialWeights, fetch_weights
from kagglecxr.training.run_spec import RunSpec
from kagglecxr.training.search.pipeline_caches import with_cache
from kagglecxr.training.search.study import ReportScore, score_reporter
from kagglecxr.training.search.trial_process import LOG_FILE, TrialResult, TrialSpec
from kagglecxr.training.task import Part, Task
from kagglecxr.training.tasks import data_of_recipe, make_task


class ReportEpochScore(keras.callbacks.Callback):  # type: ignore[misc]
    """Reports a score after each epoch, and stops a training that is pruned.

    The scores are also written to a file, from which a killed training reports them again.
    """

    def __init__(self, score: Callable[[], float], report: ReportScore, path: Path) -> None:
        super().__init__()
        self._score, self._report, self._path = score, report, path
        self._scores: dict[str, float] = read_json(path) if path.is_file() else {}

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Reports this epoch, unless `replay_scores` did.

        Raises:
            TrialPruned: The trial is pruned.
        """
        if str(epoch + 1) in self._scores:
            # Killed after this file and before the checkpoint, so the epoch was trained again.
            return
        self._scores[str(epoch + 1)] = self._score()
        write_json(self._path, self._scores)
        if self._report(epoch + 1, self._scores[str(epoch + 1)]):
            raise optuna.TrialPruned


def replay_scores(path: Path, report: ReportScore) -> None:
    """Reports the epochs that a fold was trained before a kill, or before it was finished."""
    for epoch, score in (read_json(path) if path.is_file() else {}).items():
        report(int(epoch), score)


def train_trial(
    data: PreparedData, workspace: Workspace, spec: TrialSpec, report: ReportScore
) -> TrialResult:
    """Trains the folds of a trial; its score is the mean over their held-out images.

    `data` are those that its recipe learns from, with the images of its cache.

    The score of an epoch is computed without test-time augmentation, the final one with the
    recipe's views. Weights are removed at the end.
    """
    task = make_task(data)
    run = RunSpec(task, workspace, spec.recipe, data.fold, spec.seed, spec.folder)
    weights = InitialWeights(run, fetch_weights(spec.recipe, Silent()), workspace.folds)
    epochs = sum(stage.epochs for stage in spec.recipe.in_stages())
    scores: list[float] = []
    for fold in range(spec.folds):
        folder = run.fold_folder(fold)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "scores.json"
        report_epoch = functools.partial(_report_mean, report, epochs * fold, list(scores))
        replay_scores(path, report_epoch)
        options = FoldOptions(
            weights=functools.partial(weights.of_fold, fold),
            callbacks=functools.partial(
                _score_callbacks, task, run.fold_of == fold, report_epoch, path
            ),
            learn_novelty=False,
        )
        try:
            train_fold(run, fold, Silent(), options)
        except optuna.TrialPruned:
            shutil.rmtree(folder)
            return TrialResult("pruned")
        for weights_file in folder.rglob("*.weights.h5"):
            weights_file.unlink()
        scores.append(task.load_held_out([folder / "validation.npz"]).score())
    return TrialResult("finished", float(np.mean(scores)))


def _score_callbacks(
    task: Task, held_out: Part, report: ReportScore, path: Path, inputs: FitInputs
) -> list[ReportEpochScore]:
    def score() -> float:
        plain = inputs.predict([PLAIN_VIEW])
        return task.held_out(held_out, {PLAIN_VIEW: plain}).score()

    return [ReportEpochScore(score, report, path)]


def _report_mean(
    report: ReportScore, epochs_before: int, scores_before: list[float], epoch: int, score: float
) -> bool:
    return report(epochs_before + epoch, float(np.mean([*scores_before, score])))


def _exit_with_parent() -> None:
    sys.stdin.read()
    # Not `sys.exit`: the training runs in another thread; its last checkpoint is kept.
    os._exit(1)


def _redirect_output(log: Path) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    with log.open("ab") as stream:
        for descriptor in (1, 2):
            os.dup2(stream.fileno(), descriptor)


def _run(spec: TrialSpec) -> TrialResult:
    try:
        competition = load_competition(spec.competition)
        workspace = Workspace(spec.workspace, competition.name)
        prepared = load_prepared(competition, workspace)
        report = score_reporter(spec.study, spec.storage, spec.number)
        images = with_cache(prepared, workspace, spec.cache_key)
        data = data_of_recipe(images, workspace, spec.recipe, Silent())
        return train_trial(data, workspace, spec, report)
    except CxrError as error:
        return TrialResult("failed", error=str(error))
    except Exception as error:  # noqa: BLE001 other models of the space can still be tried
        traceback.print_exc()
        return TrialResult("failed", error=f"{type(error).__name__}: {error}")


def main() -> None:
    """Trains the trial that standard input names, and writes its result to its folder."""
    line = sys.stdin.readline()
    if not line:
        # The search ended and this process got no trial.
        return
    spec = TrialSpec.from_json(line)
    _redirect_output(spec.folder / LOG_FILE)
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    setup_keras()
    _run(spec).write(spec.folder)
    sys.stdout.flush()
    sys.stderr.flush()
    # Python would wait for the thread that reads standard input.
    os._exit(0)


if __name__ == "__main__":
    main()
