"""How long a run's model takes for one image, single and in a batch, on this machine."""

import os
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kagglecxr.core.progress import Reporter
from kagglecxr.reports.compared_models import ComparedModel

BATCH_SIZE = 32
_WARM_UP, _REPEATS = 2, 9


@dataclass(frozen=True)
class Latency:
    """Seconds an image of one fold's model with one view, and where they were measured."""

    single: float
    in_batch: float
    machine: str


def measure_latency(
    models: Sequence[ComparedModel], clock: Callable[[], float], reporter: Reporter
) -> dict[str, Latency]:
    """Measures fold 0 of each run, warm; medians of several predictions.

    Raises:
        WeightsError: the weights of a fold cannot be read.
    """
    from kagglecxr.models.runtime import compiled_function, list_devices, setup_keras

    setup_keras()
    from kagglecxr.inference.members import Member

    machine = describe_machine(list_devices())
    runs = [model for model in models if model.ensemble is None]
    found = {}
    with reporter.bar("Measuring latency", len(runs)) as bar:
        for run in runs:
            record = run.records[0]
            member = Member(run.folder, record, [0], ["identity"])
            predict = compiled_function(member.load_model(0))
            single, batch = (
                _median_seconds(predict, np.zeros((images, *record.input_shape), np.uint8), clock)
                for images in (1, BATCH_SIZE)
            )
            found[run.name] = Latency(single, batch / BATCH_SIZE, machine)
            bar.advance()
    return found


def describe_machine(devices: Sequence[str]) -> str:
    """Returns the accelerators, or the number and kind of processors, as text."""
    processors = f"{os.cpu_count()} {platform.machine()} processors"
    return f"{', '.join(devices)} beside {processors}" if devices else processors


def _median_seconds(
    predict: Callable[[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]], object],
    images: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    clock: Callable[[], float],
) -> float:
    for _ in range(_WARM_UP):
        predict(images)
    seconds = []
    for _ in range(_REPEATS):
        start = clock()
        predict(images)
        seconds.append(clock() - start)
    return statistics.median(seconds)
