"""A study is opened again as it was, in a file or a database, and survives what a kill leaves."""

from pathlib import Path

import optuna
import pytest

from kagglecxr.core.errors import SettingError
from kagglecxr.training.search.ledger import put_back
from kagglecxr.training.search.space import make_space
from kagglecxr.training.search.storage import storage_place
from kagglecxr.training.search.study import (
    distributions,
    open_study,
    open_trial,
)
from tests.training.search.conftest import DISTRIBUTIONS


def place(folder: Path, kind: str) -> str:
    return storage_place(folder, f"sqlite:///{folder}/study.db" if kind == "sqlite" else None)


@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_a_search_that_is_begun_again_draws_as_if_it_had_not_stopped(
    tmp_path: Path, kind: str
) -> None:
    drawn: list[list[float]] = []
    for stops in (True, False):
        folder = tmp_path / str(stops)
        folder.mkdir()
        study = open_study("one", place(folder, kind), maximise=True, seed=3)
        values = []
        for number in range(13):
            if stops:
                study = open_study("one", place(folder, kind), maximise=True, seed=3)
            trial = study.ask(DISTRIBUTIONS)
            values.append(trial.params["learning_rate"])
            study.tell(trial, (number * 7) % 5)
        drawn.append(values)
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 13


def test_a_trial_that_was_lost_changes_no_draw(tmp_path: Path) -> None:
    drawn: list[list[float]] = []
    for lost in ([], [0, 2, 5, 5]):
        study = open_study(f"{lost}", place(tmp_path, "journal"), maximise=True, seed=3)
        values = []
        while len(values) < 13:
            trial = study.ask(DISTRIBUTIONS)
            if len(values) in lost:
                lost.remove(len(values))
                put_back(study, trial.number)
                continue
            values.append(trial.params["learning_rate"])
            study.tell(trial, len(values) % 5)
        drawn.append(values)
    assert drawn[0] == drawn[1]


def test_another_seed_draws_otherwise(tmp_path: Path) -> None:
    studies = [
        open_study(f"{seed}", place(tmp_path, ""), maximise=True, seed=seed) for seed in (0, 1)
    ]
    first, other = (study.ask(DISTRIBUTIONS).params for study in studies)
    assert first != other


@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_another_process_reports_to_the_trial_it_is_told(tmp_path: Path, kind: str) -> None:
    study = open_study("one", place(tmp_path, kind), maximise=True, seed=0)
    for _ in range(2):
        study.ask(DISTRIBUTIONS)
    trial = open_trial("one", place(tmp_path, kind), 1)
    trial.report(0.25, 1)
    assert [t.intermediate_values for t in study.get_trials()] == [{}, {1: 0.25}]
    assert trial.params == study.get_trials()[1].params


def test_half_a_line_at_the_journals_end_is_cut(tmp_path: Path) -> None:
    journal = place(tmp_path, "journal")
    study = open_study("one", journal, maximise=True, seed=0)
    study.tell(study.ask(DISTRIBUTIONS), 0.5)
    with Path(journal).open("ab") as stream:
        stream.write(b'{"op_code":4,"wor')
    again = open_study("one", journal, maximise=True, seed=0)
    again.tell(again.ask(DISTRIBUTIONS), 0.7)
    values = [t.value for t in open_study("one", journal, maximise=True, seed=0).get_trials()]
    assert values == [0.5, 0.7]


def test_a_url_that_leads_nowhere_is_told_without_its_password(tmp_path: Path) -> None:
    for url in ("sqlite:////no/such/folder/x.db", "nonsense://me:secret@host/db"):
        with pytest.raises(SettingError, match=r"--storage (sqlite|nonsense)://\.\.\.") as caught:
            open_study("one", url, maximise=True, seed=0)
        assert "secret" not in str(caught.value)


def test_ranges_and_choices_are_told_to_optuna_as_they_are() -> None:
    space = make_space(
        {
            "epochs": {"low": 2, "high": 8, "step": 3},
            "batch_size": {"low": 8, "high": 64, "log": True},
            "warmup": {"low": 0.0, "high": 0.5, "step": 0.25},
            "optimizer": ["adam", "sgd"],
        }
    )
    assert distributions(space) == {
        "epochs": optuna.distributions.IntDistribution(2, 8, step=3),
        "batch_size": optuna.distributions.IntDistribution(8, 64, log=True),
        "warmup": optuna.distributions.FloatDistribution(0.0, 0.5, step=0.25),
        "optimizer": optuna.distributions.CategoricalDistribution(("adam", "sgd")),
    }
