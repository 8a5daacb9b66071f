"""Several seeds train on the folds of the first, and are reported together."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from kagglecxr.core.errors import SettingError
from kagglecxr.core.files import read_json, read_table
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import read_run
from kagglecxr.training.multi_seed import describe_seeds, train_seeds
from kagglecxr.training.recipe import make_recipe
from kagglecxr.training.run import RunOptions, train_run
from kagglecxr.training.training_options import TrainOptions
from tests.conftest import PreparedDemo, prepare_demo
from tests.training.run_factories import make_run


@pytest.fixture(scope="module")
def own(demo_images: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedDemo:
    return prepare_demo(demo_images, tmp_path_factory.mktemp("seeds"))


@pytest.fixture
def _untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are begun and not trained."""
    monkeypatch.setattr("kagglecxr.training.run.train_fold", lambda *_: None)


def begin(own: PreparedDemo, seed: int = 0, **options: Any) -> list[Path]:
    extent = TrainOptions(**options)
    return train_seeds(own.prepared, own.workspace, make_recipe({}), Silent(), extent, seed)


@pytest.mark.usefixtures("_untrained")
def test_each_seed_is_a_run_on_the_folds_of_the_first(own: PreparedDemo) -> None:
    runs = begin(own, seeds=3, folds=2, seed=5)
    assert [read_json(run / "recipe.json")["seed"] for run in runs] == [5, 6, 7]
    first, *others = (read_table(run / "folds.csv") for run in runs)
    assert all(first.equals(other) for other in others)


@pytest.mark.usefixtures("_untrained")
def test_a_second_seed_is_another_run_than_that_seed_on_folds_of_its_own(own: PreparedDemo) -> None:
    first, second = begin(own, seeds=2, folds=2, seed=5)
    assert begin(own, folds=2, seed=5) == [first]
    (alone,) = begin(own, folds=2, seed=6)
    assert alone != second
    assert not read_table(alone / "folds.csv").equals(read_table(second / "folds.csv"))


@pytest.mark.usefixtures("_untrained")
def test_on_the_prepared_folds_a_seed_is_the_same_run_alone_or_among_others(
    own: PreparedDemo,
) -> None:
    alone = train_run(own.prepared, own.workspace, make_recipe({}), Silent(), RunOptions(seed=1))
    assert begin(own, seeds=2)[1] == alone
    assert begin(own, seeds=2, folds=3)[1] == alone


def test_seeds_are_reported_in_one_line_with_mean_and_spread(own: PreparedDemo) -> None:
    runs = [make_run(own, f"made-{seed}", seed) for seed in (1, 2, 3)]
    for run, score in zip(runs, (0.7, 0.8, 0.6), strict=True):
        record = read_run(run)
        metrics = {**record.metrics, "oof_balanced_accuracy": score}
        dataclasses.replace(record, metrics=metrics).write(run)
    message = describe_seeds(runs, "balanced_accuracy")
    assert "0.7000 (made-1), 0.8000 (made-2), 0.6000 (made-3): mean 0.7000 ± 0.1000." in message
    assert "\n" not in message
    assert describe_seeds(runs[:1], "balanced_accuracy").startswith("Trained 3 folds of cnn_small")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seeds": 0}, "--seeds 0"),
        ({"pseudo_rounds": -1}, "-1 rounds"),
        ({"pseudo_rounds": 1, "fold": 0}, "1 rounds of fold 0 alone"),
        ({"timeout": 0.0}, "--timeout is a positive"),
        ({"timeout": 9.0, "cluster": "auto"}, "--timeout 9.0 with --cluster auto"),
    ],
)
def test_an_extent_that_cannot_be_is_refused(
    own: PreparedDemo, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(SettingError, match=words):
        begin(own, **options)


def test_the_time_left_is_shared_by_seeds_and_folds(
    own: PreparedDemo, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = []

    def train(*arguments: Any) -> None:
        shares.append(arguments[-1].budget.deadline.left())

    monkeypatch.setattr("kagglecxr.training.run.train_fold", train)
    begin(own, seeds=2, folds=2, timeout=1200.0)
    # None took any of its time, so that those after it have more.
    assert shares == pytest.approx([300.0, 600.0, 600.0, 1200.0], abs=30.0)
