"""A round is kept only where it is better than the one before, and the first that is not ends."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kagglecxr.core.errors import SettingError
from kagglecxr.core.progress import Silent
from kagglecxr.training.pseudo_labels import train_pseudo_rounds
from kagglecxr.training.recipe import make_recipe
from kagglecxr.training.run import RunOptions
from tests.conftest import PreparedDemo


@dataclass
class Pretended:
    """Trainings that end with given scores, round after round."""

    scores: list[float]
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def train(self, *arguments: Any) -> Path:
        # Prepared data, workspace, recipe and reporter come first.
        self.calls.append(arguments[4:])
        return Path(f"round-{len(self.calls) - 1}")

    def read(self, run: Path) -> SimpleNamespace:
        score = self.scores[int(run.name.partition("-")[2])]
        return SimpleNamespace(metrics={"oof_balanced_accuracy": score})


class Notes(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def play(
    demo: PreparedDemo, scores: list[float], rounds: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, Pretended, list[str]]:
    pretended, notes = Pretended(scores), Notes()
    monkeypatch.setattr("kagglecxr.training.pseudo_labels.train_run", pretended.train)
    monkeypatch.setattr("kagglecxr.training.pseudo_labels.read_run", pretended.read)
    best = train_pseudo_rounds(
        demo.prepared,
        demo.workspace,
        make_recipe({}),
        notes,
        RunOptions(seed=2, fold_seed=1),
        rounds=rounds,
    )
    return best.name, pretended, notes.notes


@pytest.mark.parametrize(
    ("scores", "rounds", "best", "trained"),
    [
        ([0.5], 0, "round-0", 1),
        ([0.5, 0.6], 1, "round-1", 2),
        ([0.5, 0.6, 0.7], 2, "round-2", 3),
        ([0.5, 0.6, 0.55, 0.9], 3, "round-1", 3),
        ([0.5, 0.5, 0.9], 2, "round-0", 2),
        ([0.5, 0.4, 0.9], 2, "round-0", 2),
        ([0.5, float("nan"), 0.9], 2, "round-0", 2),
    ],
)
def test_the_best_round_is_kept_and_the_first_that_is_not_better_ends(
    demo: PreparedDemo,
    scores: list[float],
    rounds: int,
    best: str,
    trained: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept, pretended, notes = play(demo, scores, rounds, monkeypatch)
    assert (kept, len(pretended.calls)) == (best, trained)
    assert len(notes) == trained - 1


def test_each_student_s_teacher_is_the_round_before(
    demo: PreparedDemo, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, pretended, notes = play(demo, [0.5, 0.6, 0.55], 2, monkeypatch)
    assert pretended.calls[0][0].teacher is None
    teachers = [options.teacher for (options,) in pretended.calls[1:]]
    assert [(t.run.name, t.round) for t in teachers] == [("round-0", 1), ("round-1", 2)]
    assert {(call[0].seed, call[0].fold_seed) for call in pretended.calls} == {(2, 1)}
    assert "0.6000 after 0.5000: round-1 is kept" in notes[0]
    assert "0.5500 after 0.6000: not better, so round-1 is kept" in notes[1]


def test_what_cannot_be_labelled_is_reported_before_any_training(
    demo: PreparedDemo, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretended = Pretended([])
    monkeypatch.setattr("kagglecxr.training.pseudo_labels.train_run", pretended.train)
    recipe = make_recipe({}, ["batch_size=1"])
    with pytest.raises(SettingError, match="batch_size=1"):
        train_pseudo_rounds(demo.prepared, demo.workspace, recipe, Silent(), rounds=1)
    assert pretended.calls == []
