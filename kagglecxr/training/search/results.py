"""The results of a search: a table of trials, importances, and the best recipe as a file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import optuna
import pandas as pd
import tomli_w
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from kagglecxr.core.errors import SettingError
from kagglecxr.core.files import write_text
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.prepared import prepare_again
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.search.trial_queue import ERROR, PIPELINE_TEXT, RECIPE, RUN, SECONDS

_STATE_NAMES = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.RUNNING: "running",
    TrialState.FAIL: "failed",
}


@dataclass(frozen=True)
class SearchResult:
    """The results of a search.

    Attributes:
        metric: By which trials are scored.
        maximise: Whether a greater score is better.
        trials: One row per trial, except requeued ones and duplicates, with the columns trial,
            state, score, epochs, seconds, run, one per parameter, and error.
        importances: See `parameter_importances`.
        recipe: The best; score, seconds, folds and pipeline are those of its trial.
        score: On the held-out images, averaged over the folds.
        folds: How many were trained.
        pipeline: The preprocessing of the images; empty if it is that of the workspace.
    """

    name: str
    metric: str
    maximise: bool
    trials: pd.DataFrame
    importances: dict[str, float]
    recipe: Recipe
    score: float
    seconds: float
    folds: int
    pipeline: str = ""

    def count(self, state: str) -> int:
        """Counts the trials in one state."""
        return int((self.trials["state"] == state).sum())


def collect_results(study: Study, metric: str, folds: int) -> SearchResult:
    """Reads the results from a study.

    Raises:
        SettingError: No trial is finished.
    """
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if not finished:
        raise SettingError(
            f"No trial is finished. Received: {study.study_name}. Run the same command again with "
            "more --trials or a longer --timeout."
        )
    best = study.best_trial
    return SearchResult(
        name=study.study_name,
        metric=metric,
        maximise=study.direction == StudyDirection.MAXIMIZE,
        trials=trials_table(study.get_trials(deepcopy=False)),
        importances=parameter_importances(study, finished),
        recipe=Recipe.model_validate(best.user_attrs[RECIPE]),
        score=study.best_value,
        seconds=float(best.user_attrs.get(SECONDS, 0.0)),
        folds=folds,
        pipeline=str(best.user_attrs.get(PIPELINE_TEXT, "")),
    )


def trials_table(trials: Sequence[FrozenTrial]) -> pd.DataFrame:
    """Makes the table of `SearchResult`, in the order of the trials."""
    states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
    shown = [trial for trial in trials if trial.state in states or ERROR in trial.user_attrs]
    names = list(dict.fromkeys(name for trial in shown for name in trial.params))
    return pd.DataFrame([_table_row(trial, names) for trial in shown])


def parameter_importances(study: Study, finished: Sequence[FrozenTrial]) -> dict[str, float]:
    """Computes the share of the score's variance that each parameter explains.

    By functional ANOVA (Hutter et al. 2014); empty if too few trials are finished.
    """
    if len(finished) < 4 or len({trial.value for trial in finished}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def write_best_recipe(result: SearchResult, workspace: Workspace) -> tuple[Path, str]:
    """Writes the best recipe as a TOML file; returns its path and the command that trains it."""
    path = workspace.recipes / f"{result.name}.toml"
    verb = ["train"] if result.recipe.segmentation is None else ["segment", "--train"]
    command = workspace.command(*verb, "--recipe", path)
    if result.pipeline:
        command = f"{prepare_again(workspace, pipeline=result.pipeline)} && {command}"
    fold = "fold 0" if result.folds == 1 else f"folds 0 to {result.folds - 1}"
    comment = (
        f"# The best of {result.count('finished')} finished trials of {result.name}. Expected: "
        f"{result.metric}\n"
        f"# {result.score:.4f} on the held-out images of {fold}, a little too good since it was "
        "chosen by it;\n"
        f"# {result.seconds / result.folds:.0f} s a fold on the machine that tried it.\n"
        f"# {command}\n"
    )
    values = result.recipe.model_dump(mode="json", exclude_none=True)
    write_text(path, comment + tomli_w.dumps(values))
    return path, command


def describe_results(result: SearchResult) -> str:
    """Describes a finished search in one sentence."""
    folds = "fold 0" if result.folds == 1 else f"{result.folds} folds"
    return (
        f"Tried {len(result.trials)} recipes, {result.count('pruned')} of them pruned; "
        f"the best has {result.metric} {result.score:.4f} on {folds}"
    )


def _table_row(trial: FrozenTrial, names: Sequence[str]) -> dict[str, object]:
    epochs = trial.intermediate_values
    last = epochs[max(epochs)] if epochs else None
    return {
        "trial": trial.number,
        "state": _STATE_NAMES[trial.state],
        "score": trial.value if trial.state == TrialState.COMPLETE else last,
        "epochs": len(epochs),
        "seconds": trial.user_attrs.get(SECONDS, 0.0),
        "run": trial.user_attrs.get(RUN, ""),
        **{name: trial.params.get(name) for name in names},
        "error": trial.user_attrs.get(ERROR, ""),
    }
