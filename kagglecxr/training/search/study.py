"""The Optuna study of a search: its sampler, its pruner, and how it is opened."""

import functools
import math
import warnings
from collections.abc import Callable

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.pruners import BasePruner
from optuna.samplers import RandomSampler, TPESampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from kagglecxr.core.seeding import derive_seed
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.search.space import Entry, Range, Space
from kagglecxr.training.search.study_storage import open_storage
from kagglecxr.training.search.trial_queue import RECIPE, REQUEUED_FROM

optuna.logging.set_verbosity(optuna.logging.ERROR)

ReportScore = Callable[[int, float], bool]
"""Reports the score of a step or epoch. Returns whether to prune the trial."""
REDUCTION_FACTOR = 3
"""After 1/3 of the epochs, 1/3 of the trials are continued."""
_COUNTED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)


class SuccessiveHalving(BasePruner):
    """Asynchronous successive halving (Li et al. 2018) with one rung, at a third of the epochs.

    There, a trial is continued if it is in the best third of all so far. Not earlier: a net trained
    from scratch predicts at random in its first epochs, until its batch normalisation has adapted
    (this is Hyperband's bracket s = 1; Li et al. 2017). Unlike `optuna.pruners`, it depends on the
    reported scores alone and ignores failed trials, so that a trial that was killed and resumed is
    not counted twice, and the search ends as if it had not been killed.
    """

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Returns whether to prune a trial at the epoch that it reported last."""
        step = trial.last_step
        if step is None or RECIPE not in trial.user_attrs or step != _pruning_epoch(trial):
            return False
        score = trial.intermediate_values[step]
        others = [
            other.intermediate_values[step]
            for other in study.get_trials(deepcopy=False, states=_COUNTED)
            if other.number != trial.number and step in other.intermediate_values
        ]
        if len(others) < REDUCTION_FACTOR - 1:
            return False
        sign = 1 if study.direction == StudyDirection.MAXIMIZE else -1
        better = sum(sign * other > sign * score for other in others)
        return math.isnan(score) or better >= (len(others) + 1) // REDUCTION_FACTOR


def _pruning_epoch(trial: FrozenTrial) -> int:
    stages = Recipe.model_validate(trial.user_attrs[RECIPE]).in_stages()
    return math.ceil(sum(stage.epochs for stage in stages) / REDUCTION_FACTOR)


class PerTrialSampler(TPESampler):
    """A tree-structured Parzen estimator (Bergstra et al. 2011), seeded anew for each trial.

    The seed depends on the number of the trial, not counting those that only repeat others. So a
    search that was killed continues as it would have, and two machines that share a study do not
    draw the same parameters.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._reset(seed)

    def _reset(self, seed: int) -> None:
        with warnings.catch_warnings():
            # The constant liar keeps trials that run at once apart; experimental before Optuna 5.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            super().__init__(seed=seed, constant_liar=True)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Resets the sampler, with the seed of this trial."""
        repeated = [t for t in study.get_trials(deepcopy=False) if REQUEUED_FROM in t.user_attrs]
        number = trial.number - sum(other.number < trial.number for other in repeated)
        self._reset(derive_seed(self._seed, "trial", number))
        super().before_trial(study, trial)


def open_study(name: str, location: str, *, maximise: bool, seed: int) -> Study:
    """Opens a study at a `storage_location`, or creates it.

    Raises:
        SettingError: The storage cannot be opened.
    """
    return optuna.create_study(
        study_name=name,
        storage=open_storage(location),
        direction="maximize" if maximise else "minimize",
        sampler=PerTrialSampler(derive_seed(seed, "search")),
        pruner=SuccessiveHalving(),
        load_if_exists=True,
    )


def score_reporter(name: str, location: str, number: int) -> functools.partial[bool]:
    """Returns what reports scores to a trial that another process began."""
    storage = open_storage(location)
    study = optuna.load_study(
        study_name=name, storage=storage, sampler=RandomSampler(), pruner=SuccessiveHalving()
    )
    study_id = storage.get_study_id_from_name(name)
    trial = Trial(study, storage.get_trial_id_from_study_id_trial_number(study_id, number))
    return functools.partial(report_score, trial)


def report_score(trial: Trial, step: int, score: float) -> bool:
    """Reports a score of a trial. Returns whether to prune the trial."""
    trial.report(score, step)
    return trial.should_prune()


def to_distributions(space: Space) -> dict[str, BaseDistribution]:
    """Converts a space to Optuna's distributions."""
    return {name: _to_distribution(entry) for name, entry in space.entries.items()}


def _to_distribution(entry: Entry) -> BaseDistribution:
    if not isinstance(entry, Range):
        return CategoricalDistribution(entry)
    if entry.is_integer():
        return IntDistribution(int(entry.low), int(entry.high), entry.log, int(entry.step or 1))
    return FloatDistribution(entry.low, entry.high, entry.log, entry.step)
