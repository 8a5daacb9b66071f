"""Gives up the trials that are behind: asynchronous successive halving (Li et al. 2018)."""

import math

from optuna.pruners import BasePruner
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from kagglecxr.training.recipe import Recipe
from kagglecxr.training.search.ledger import RECIPE

FACTOR = 3
"""One trial in so many goes on after so great a part of its epochs."""
_COUNTED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)


class Halving(BasePruner):
    """After a third of a trial's epochs, lets it go on if it is in the best third of all so far.

    Not earlier: a net from chance answers no better than chance in its first epochs, until its
    batch normalisation has seen enough (Hyperband's bracket s = 1; Li et al. 2017). Unlike Optuna's
    own it goes by what was reported alone and leaves failed trials out, so that one that was killed
    and taken up is not counted twice, and the search ends as if it had not been.
    """

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether a trial is given up at the epoch that it has reported last."""
        step = trial.last_step
        if step is None or RECIPE not in trial.user_attrs or step != _looked_at(trial):
            return False
        score = trial.intermediate_values[step]
        others = [
            other.intermediate_values[step]
            for other in study.get_trials(deepcopy=False, states=_COUNTED)
            if other.number != trial.number and step in other.intermediate_values
        ]
        if len(others) < FACTOR - 1:
            return False
        sign = 1 if study.direction == StudyDirection.MAXIMIZE else -1
        better = sum(sign * other > sign * score for other in others)
        return math.isnan(score) or better >= (len(others) + 1) // FACTOR


def _looked_at(trial: FrozenTrial) -> int:
    stages = Recipe.model_validate(trial.user_attrs[RECIPE]).in_stages()
    return math.ceil(sum(stage.epochs for stage in stages) / FACTOR)
