"""One trial in three goes on after a third of its epochs, whatever happened to the others."""

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState

from kagglecxr.training.recipe import Recipe, make_recipe
from kagglecxr.training.search.halving import Halving
from kagglecxr.training.search.ledger import RECIPE
from tests.training.search.conftest import DISTRIBUTIONS

SIX = make_recipe({"epochs": 6})


def make_study(direction: str = "maximize") -> optuna.Study:
    return optuna.create_study(direction=direction, pruner=Halving())


def given_up(study: optuna.Study, scores: list[float], recipe: Recipe = SIX) -> int:
    """The epoch at which a trial with these scores is given up; 0 where it never is."""
    trial = study.ask(DISTRIBUTIONS)
    trial.set_user_attr(RECIPE, recipe.model_dump(mode="json"))
    for epoch, score in enumerate(scores, start=1):
        trial.report(score, epoch)
        if trial.should_prune():
            study.tell(trial, state=TrialState.PRUNED)
            return epoch
    study.tell(trial, scores[-1])
    return 0


@pytest.mark.parametrize(("direction", "worse"), [("maximize", -1.0), ("minimize", 1.0)])
def test_the_first_two_go_on_and_then_the_best_third(direction: str, worse: float) -> None:
    study = make_study(direction)
    epochs = [given_up(study, [worse * number] * 6) for number in range(8)]
    assert epochs == [0, 0, 2, 2, 2, 2, 2, 2]
    assert given_up(study, [worse * 1.5] * 6) == 0
    assert given_up(study, [worse * 3.5] * 6) == 2


@pytest.mark.parametrize(
    ("epochs", "stages", "looked_at"), [(1, 0, 1), (6, 0, 2), (8, 0, 3), (20, 0, 7), (8, 4, 4)]
)
def test_a_trial_is_looked_at_after_a_third_of_its_epochs(
    epochs: int, stages: int, looked_at: int
) -> None:
    before = [{"epochs": stages}] if stages else []
    recipe, study = make_recipe({"epochs": epochs, "stages": before}), make_study()
    for _ in range(4):
        assert given_up(study, [0.9] * (epochs + stages), recipe) == 0
    assert given_up(study, [0.1] * (epochs + stages), recipe) == looked_at


def test_a_trial_of_an_unknown_recipe_goes_on() -> None:
    study = make_study()
    for _ in range(4):
        given_up(study, [0.9] * 6)
    trial = study.ask(DISTRIBUTIONS)
    for epoch in range(1, 7):
        trial.report(0.1, epoch)
        assert not trial.should_prune()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_the_best_of_all_is_never_given_up(scores: list[float]) -> None:
    study = make_study()
    for score in scores:
        given_up(study, [score] * 6)
    assert study.best_value == max(scores)


def test_a_score_that_is_no_number_is_given_up() -> None:
    study = make_study()
    for _ in range(2):
        given_up(study, [0.1] * 6)
    assert given_up(study, [float("nan")] * 6) == 2
    assert given_up(study, [0.1] * 6) == 0


def test_what_a_killed_trial_had_reported_is_not_counted_twice() -> None:
    study = make_study()
    for _ in range(6):
        killed = study.ask(DISTRIBUTIONS)
        killed.report(0.9, 2)
        study.tell(killed, state=TrialState.FAIL)
    for _ in range(3):
        assert given_up(study, [0.5] * 6) == 0
