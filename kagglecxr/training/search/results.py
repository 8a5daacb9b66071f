"""What a study found: its trials as a table, what mattered, and the best recipe as a file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import optuna
import pandas as pd
import tomli_w
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from kagglecxr.core.errors import SettingError
from kagglecxr.core.files import write_text
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.search.trial_queue import ERROR, PIPELINE, RECIPE, RUN, SECONDS

_STATE_NAMES = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.RUNNING: "running",
    TrialState.FAIL: "failed",
}


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        name: the study's.
        metric: by which trials were scored.
        maximise: whether a greater score is better.
        trials: columns trial, state, score, epochs, seconds, run, those of the parameters, error;
            a line a trial, those not counted left out.
        importances: the share of the score's variance that each parameter explains; empty where
            too few trials are finished.
        recipe: the best.
        score: its score.
        seconds: its training took.
        folds: it was trained on.
        pipeline: how its images are prepared; empty where as they are.
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
        """Trials in one state."""
        return int((self.trials["state"] == state).sum())


def collect_results(study: Study, metric: str, folds: int) -> SearchResult:
    """What a study holds now.

    Raises:
        SettingError: no trial is finished.
    """
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if not finished:
        raise SettingError(
            f"No trial is finished. Received: {study.study_name}. Run the same command again with "
            "more --trials or a longer --timeout."
        )
    best = study.best_trial
    return SearchResult(
        study.study_name,
        metric,
        study.direction == optuna.study.StudyDirection.MAXIMIZE,
        trials_table(study.get_trials(deepcopy=False)),
        parameter_importances(study, finished),
        Recipe.model_validate(best.user_attrs[RECIPE]),
        study.best_value,
        float(best.user_attrs.get(SECONDS, 0.0)),
        folds,
        str(best.user_attrs.get(PIPELINE, "")),
    )


def trials_table(trials: Sequence[FrozenTrial]) -> pd.DataFrame:
    """The table that `SearchResult` describes, in the order of the trials."""
    told = [t for t in trials if t.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    told += [t for t in trials if t.state == TrialState.RUNNING or ERROR in t.user_attrs]
    names = list(dict.fromkeys(name for trial in told for name in trial.params))
    return pd.DataFrame(
        [_table_row(trial, names) for trial in sorted(told, key=lambda trial: trial.number)]
    )


def parameter_importances(study: Study, finished: Sequence[FrozenTrial]) -> dict[str, float]:
    """Shares of the score's variance, by functional ANOVA (Hutter et al. 2014), best first."""
    if len(finished) < 4 or len({trial.value for trial in finished}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def write_best_recipe(findings: SearchResult, folder: Path, competition: str) -> Path:
    """Writes the best recipe as a TOML file that `train --recipe` takes.

    Args:
        findings: what was found.
        folder: where.
        competition: as on the command line.

    Returns:
        The file.
    """
    path = folder / f"{findings.name}.toml"
    fold = "fold 0" if findings.folds == 1 else f"folds 0 to {findings.folds - 1}"
    comment = (
        f"# The best of {findings.count('finished')} finished trials of {findings.name}. Expected: "
        f"{findings.metric}\n"
        f"# {findings.score:.4f} on the held-out images of {fold}, a little too good since it was "
        "chosen by it;\n"
        f"# {findings.seconds / findings.folds:.0f} s a fold on the machine that tried it.\n"
        f"# python -m kagglecxr.train {competition} --recipe {path}\n"
    )
    if findings.pipeline:
        comment += f"# Its images are prepared first: {prepare_command(findings, competition)}\n"
    values = findings.recipe.model_dump(mode="json", exclude_none=True)
    write_text(path, comment + tomli_w.dumps(values))
    return path


def prepare_command(findings: SearchResult, competition: str) -> str:
    """What prepares the images as the best trial had them."""
    return (
        f"python -m kagglecxr.prepare {competition} --pipeline '{findings.pipeline}' (and the "
        "options it was given before)"
    )


def describe_results(findings: SearchResult) -> str:
    """A finished search in some words, for a verb's last line."""
    folds = "fold 0" if findings.folds == 1 else f"{findings.folds} folds"
    return (
        f"Tried {len(findings.trials)} recipes, {findings.count('pruned')} of them given up early; "
        f"the best has {findings.metric} {findings.score:.4f} on {folds}"
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
