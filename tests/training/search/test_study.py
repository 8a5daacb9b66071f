"""One trial in three goes on after a third of its epochs, whatever happened to the others."""

from pathlib import Path

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from kagglecxr.core.errors import SettingError
from kagglecxr.training.recipe import Recipe, make_recipe
from kagglecxr.training.search.space import make_space
from kagglecxr.training.search.study import (
    SuccessiveHalving,
    open_study,
    score_reporter,
    to_distributions,
)
from kagglecxr.training.search.study_storage import storage_location
from kagglecxr.training.search.trial_queue import RECIPE, requeue
from tests.training.search.conftest import DISTRIBUTIONS

SIX = make_recipe({"epochs": 6})


def make_study(direction: str = "maximize") -> optuna.Study:
    return optuna.create_study(direction=direction, pruner=SuccessiveHalving())


def pruned_at(study: optuna.Study, scores: list[float], recipe: Recipe = SIX) -> int:
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
    epochs = [pruned_at(study, [worse * number] * 6) for number in range(8)]
    assert epochs == [0, 0, 2, 2, 2, 2, 2, 2]
    assert pruned_at(study, [worse * 1.5] * 6) == 0
    assert pruned_at(study, [worse * 3.5] * 6) == 2


@pytest.mark.parametrize(
    ("epochs", "stages", "judged_at"), [(1, 0, 1), (6, 0, 2), (8, 0, 3), (20, 0, 7), (8, 4, 4)]
)
def test_a_trial_is_judged_after_a_third_of_its_epochs(
    epochs: int, stages: int, judged_at: int
) -> None:
    before = [{"epochs": stages}] if stages else []
    recipe, study = make_recipe({"epochs": epochs, "stages": before}), make_study()
    for _ in range(4):
        assert pruned_at(study, [0.9] * (epochs + stages), recipe) == 0
    assert pruned_at(study, [0.1] * (epochs + stages), recipe) == judged_at


def test_a_trial_of_an_unknown_recipe_is_not_pruned() -> None:
    study = make_study()
    for _ in range(4):
        pruned_at(study, [0.9] * 6)
    trial = study.ask(DISTRIBUTIONS)
    for epoch in range(1, 7):
        trial.report(0.1, epoch)
        assert not trial.should_prune()


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_the_best_of_all_is_never_pruned(scores: list[float]) -> None:
    study = make_study()
    for score in scores:
        pruned_at(study, [score] * 6)
    assert study.best_value == max(scores)


def test_a_score_that_is_no_number_is_pruned() -> None:
    study = make_study()
    for _ in range(2):
        pruned_at(study, [0.1] * 6)
    assert pruned_at(study, [float("nan")] * 6) == 2
    assert pruned_at(study, [0.1] * 6) == 0


def test_what_a_killed_trial_had_reported_is_not_counted_twice() -> None:
    study = make_study()
    for _ in range(6):
        killed = study.ask(DISTRIBUTIONS)
        killed.report(0.9, 2)
        study.tell(killed, state=TrialState.FAIL)
    for _ in range(3):
        assert pruned_at(study, [0.5] * 6) == 0


def location(folder: Path, kind: str) -> str:
    return storage_location(folder, f"sqlite:///{folder}/study.db" if kind == "sqlite" else None)


@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_a_search_that_is_resumed_draws_as_if_it_had_not_stopped(tmp_path: Path, kind: str) -> None:
    drawn: list[list[float]] = []
    for stops in (True, False):
        folder = tmp_path / str(stops)
        folder.mkdir()
        study = open_study("one", location(folder, kind), maximise=True, seed=3)
        values = []
        for number in range(13):
            if stops and (kind == "journal" or number % 6 == 0):
                study = open_study("one", location(folder, kind), maximise=True, seed=3)
            trial = study.ask(DISTRIBUTIONS)
            values.append(trial.params["learning_rate"])
            study.tell(trial, (number * 7) % 5)
        drawn.append(values)
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 13


def test_a_trial_that_was_lost_changes_no_draw(tmp_path: Path) -> None:
    drawn: list[list[float]] = []
    for lost in ([], [0, 2, 5, 5]):
        study = open_study(f"{lost}", location(tmp_path, "journal"), maximise=True, seed=3)
        values = []
        while len(values) < 13:
            trial = study.ask(DISTRIBUTIONS)
            if len(values) in lost:
                lost.remove(len(values))
                requeue(study, trial.number)
                continue
            values.append(trial.params["learning_rate"])
            study.tell(trial, len(values) % 5)
        drawn.append(values)
    assert drawn[0] == drawn[1]


def test_another_seed_draws_otherwise(tmp_path: Path) -> None:
    studies = [
        open_study(f"{seed}", location(tmp_path, ""), maximise=True, seed=seed) for seed in (0, 1)
    ]
    first, other = (study.ask(DISTRIBUTIONS).params for study in studies)
    assert first != other


@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_another_process_reports_to_the_trial_of_its_number(tmp_path: Path, kind: str) -> None:
    study = open_study("one", location(tmp_path, kind), maximise=True, seed=0)
    for _ in range(2):
        study.ask(DISTRIBUTIONS)
    report = score_reporter("one", location(tmp_path, kind), 1)
    assert not report(1, 0.25)
    assert [t.intermediate_values for t in study.get_trials()] == [{}, {1: 0.25}]
    assert report.args[0].params == study.get_trials()[1].params


def test_half_a_line_at_the_journals_end_is_cut(tmp_path: Path) -> None:
    journal = location(tmp_path, "journal")
    study = open_study("one", journal, maximise=True, seed=0)
    study.tell(study.ask(DISTRIBUTIONS), 0.5)
    with Path(journal).open("ab") as stream:
        stream.write(b'{"op_code":4,"wor')
    again = open_study("one", journal, maximise=True, seed=0)
    again.tell(again.ask(DISTRIBUTIONS), 0.7)
    values = [t.value for t in open_study("one", journal, maximise=True, seed=0).get_trials()]
    assert values == [0.5, 0.7]


def test_the_error_of_an_invalid_url_hides_the_password(tmp_path: Path) -> None:
    for url in ("sqlite:////no/such/folder/x.db", "nonsense://me:secret@host/db"):
        with pytest.raises(SettingError, match=r"--storage (sqlite|nonsense)://\.\.\.") as caught:
            open_study("one", url, maximise=True, seed=0)
        assert "secret" not in str(caught.value)


def test_ranges_and_choices_become_optunas_distributions() -> None:
    space = make_space(
        {
            "epochs": {"low": 2, "high": 8, "step": 3},
            "batch_size": {"low": 8, "high": 64, "log": True},
            "warmup": {"low": 0.0, "high": 0.5, "step": 0.25},
            "optimizer": ["adam", "sgd"],
        }
    )
    assert to_distributions(space) == {
        "epochs": optuna.distributions.IntDistribution(2, 8, step=3),
        "batch_size": optuna.distributions.IntDistribution(8, 64, log=True),
        "warmup": optuna.distributions.FloatDistribution(0.0, 0.5, step=0.25),
        "optimizer": optuna.distributions.CategoricalDistribution(("adam", "sgd")),
    }
