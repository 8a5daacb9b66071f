"""What a batch takes decides what is expected of all."""

from itertools import count

import pytest

from kagglecxr.training import time_costs
from kagglecxr.training.recipe import load_recipe
from kagglecxr.training.tasks import make_task
from kagglecxr.training.time_costs import epoch_costs, seconds_of_features
from tests.conftest import PreparedDemo

SMALL = ("model=mobilenet_025", "weights=")


@pytest.fixture(autouse=True)
def one_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each second call takes one second."""
    ticks = count()
    monkeypatch.setattr(time_costs, "monotonic", lambda: float(next(ticks)))


def test_features_take_a_pass_and_a_solver_a_fold(demo: PreparedDemo) -> None:
    task = make_task(demo.prepared)
    images, folds = len(demo.prepared.fold), int(demo.prepared.fold.max()) + 1
    seconds = seconds_of_features(task, load_recipe("features", SMALL))
    # The solver of so few images takes next to nothing.
    assert seconds == pytest.approx(images / 64 + folds * 5, abs=0.5)


def test_epochs_take_steps_and_a_validation(demo: PreparedDemo) -> None:
    task = make_task(demo.prepared)
    recipe = load_recipe(
        "cpu_scratch", ("model_options.width=4", "steps=10", "batch_size=8", "optimizer=sgd")
    )
    images, folds = len(demo.prepared.fold), int(demo.prepared.fold.max()) + 1
    # A step of eight images takes a second, a prediction of one 1/24.
    an_epoch = 10 + images / folds / 24
    after = (images + 2 * images / folds) / 24
    costs = epoch_costs(task, recipe)
    for epochs in (1, 7):
        seconds = folds * (after + epochs * an_epoch)
        assert costs.epochs_in(seconds + 1) == epochs
        assert costs.epochs_in(seconds - 1) == epochs - 1
        # Of images of half the sides, in a quarter of the time.
        assert costs.epochs_in(seconds / 4 + 1, 0.25) == epochs
    assert costs.epochs_in(0) <= 0
