"""Latencies: medians of warm predictions by the clock that is given."""

from itertools import count
from pathlib import Path

import pytest

from kagglecxr.core.errors import WeightsError
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import read_run
from kagglecxr.reports.compared_models import ComparedModel
from kagglecxr.reports.latency import BATCH_SIZE, describe_machine, measure_latency
from tests.conftest import PreparedDemo, copy_demo
from tests.inference.random_runs import random_run


def model_of(run: Path) -> ComparedModel:
    return ComparedModel(run.name, run, [run], [read_run(run)], None, None, None, None)


@pytest.fixture
def own(demo: PreparedDemo, tmp_path: Path) -> PreparedDemo:
    return copy_demo(demo, tmp_path / "work")


def test_a_single_image_and_one_of_a_batch_are_timed(own: PreparedDemo) -> None:
    model = model_of(random_run(own, "a"))
    ticks = count(step=3)
    found = measure_latency([model], lambda: float(next(ticks)), Silent())["a"]
    assert (found.single, found.in_batch) == (3.0, 3.0 / BATCH_SIZE)
    assert found.machine


def test_weights_that_are_gone_are_named(own: PreparedDemo) -> None:
    run = random_run(own, "a")
    (run / "fold-0" / "model.weights.h5").unlink()
    with pytest.raises(WeightsError, match="fold-0"):
        measure_latency([model_of(run)], lambda: 0.0, Silent())


def test_a_machine_is_its_accelerators_or_its_processors() -> None:
    assert "processors" in describe_machine([])
    assert describe_machine(["gpu:0", "gpu:1"]).startswith("gpu:0, gpu:1 beside ")
