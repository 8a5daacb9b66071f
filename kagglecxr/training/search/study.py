"""The Optuna study of a search: its sampler, its pruner, and how it is opened."""

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from kagglecxr.core.seeding import derive_seed
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.search.entries import Entry, Range
from kagglecxr.training.search.space import Space
from kagglecxr.training.search.study_storage import open_storage
from kagglecxr.training.search.trial_queue import RECIPE, REQUEUED_FROM

REDUCTION_FACTOR = 3
"""One trial in so many goes on after so great a part of its epochs."""
_COUNTED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)


class SuccessiveHalving(BasePruner):
    """After a third of a trial's epochs, lets it go on if it is in the best third of all so far.

    Not earlier: a net from chance answers no better than chance in its first epochs, until its
    batch normalisation has seen enough (Hyperband's bracket s = 1; Li et al. 2017). Unlike Optuna's
    own it goes by what was reported alone and leaves failed trials out, so that one that was killed
    and taken up is not counted twice, and the search ends as if it had not been.
    """

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether a trial is given up at the epoch that it has reported last."""
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


optuna.logging.set_verbosity(optuna.logging.ERROR)


class PerTrialSampler(BaseSampler):
    """Draws each trial from a stream of its own number, those that only repeat others left out.

    So a search that was killed goes on as it would have, and two machines that share a study do
    not draw the same.

    Args:
        make: the sampler of one trial, from a seed.
        seed: of the whole search.
    """

    def __init__(self, make: Callable[[int], BaseSampler], seed: int) -> None:
        self._make, self._seed = make, seed
        self._sampler = make(seed)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Starts the stream of this trial."""
        repeated = [t for t in study.get_trials(deepcopy=False) if REQUEUED_FROM in t.user_attrs]
        number = trial.number - sum(other.number < trial.number for other in repeated)
        self._sampler = self._make(derive_seed(self._seed, "trial", number))
        self._sampler.before_trial(study, trial)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Which entries are drawn together."""
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Values of entries that are drawn together."""
        return self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """The value of an entry that is drawn alone."""
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Tells the sampler how a trial ended."""
        self._sampler.after_trial(study, trial, state, values)


def open_study(name: str, place: str, *, maximise: bool, seed: int) -> Study:
    """The study of that name, begun where it does not exist yet.

    Args:
        name: the same for all who search together.
        place: see `kagglecxr.training.search.study_storage.storage_location`.
        maximise: whether a greater score is better.
        seed: all draws derive from it and from the trials' numbers.

    Raises:
        SettingError: the storage cannot be opened.
    """
    return optuna.create_study(
        study_name=name,
        storage=open_storage(place),
        direction="maximize" if maximise else "minimize",
        sampler=PerTrialSampler(_tpe_sampler, derive_seed(seed, "search")),
        pruner=SuccessiveHalving(),
        load_if_exists=True,
    )


def open_trial(name: str, place: str, number: int) -> Trial:
    """A trial that another process asked for, to report to.

    Args:
        name: of the study.
        place: see `kagglecxr.training.search.study_storage.storage_location`.
        number: the trial's.
    """
    storage = open_storage(place)
    study = optuna.load_study(
        study_name=name, storage=storage, sampler=RandomSampler(), pruner=SuccessiveHalving()
    )
    study_id = storage.get_study_id_from_name(name)
    return Trial(study, storage.get_trial_id_from_study_id_trial_number(study_id, number))


def to_distributions(space: Space) -> dict[str, BaseDistribution]:
    """A space in Optuna's words."""
    return {name: _to_distribution(entry) for name, entry in space.entries.items()}


def _to_distribution(entry: Entry) -> BaseDistribution:
    if not isinstance(entry, Range):
        return CategoricalDistribution(entry)
    if entry.whole():
        return IntDistribution(int(entry.low), int(entry.high), entry.log, int(entry.step or 1))
    return FloatDistribution(entry.low, entry.high, entry.log, entry.step)


def _tpe_sampler(seed: int) -> BaseSampler:
    with warnings.catch_warnings():
        # Before Optuna 5 the liar, which keeps trials that run at once apart, was an experiment.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return TPESampler(seed=seed, constant_liar=True)
