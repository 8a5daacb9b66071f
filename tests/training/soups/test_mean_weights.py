"""The mean of weights files, and of one fold of several runs."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest

from kagglecxr.core.run_record import WEIGHTS, fold_folder, read_run
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.index import write_index
from kagglecxr.inference.members import rebuild_model
from kagglecxr.models.weights.hdf5 import save_weights
from kagglecxr.models.zoo import create_model
from kagglecxr.training.recipe import make_recipe
from kagglecxr.training.soups.mean_weights import (
    AveragedFold,
    learned_statistics,
)
from tests.conftest import PreparedDemo
from tests.training.run_factories import TINY, make_run, run_spec


def net(seed: int, width: int = 4) -> keras.Model:
    keras.utils.set_random_seed(seed)
    return create_model("cnn_small", num_classes=3, input_shape=(32, 32, 1), width=width)


def norms(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    return [one for one in model.layers if isinstance(one, keras.layers.BatchNormalization)]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Three nets of different weights, of which one has seen other statistics in its last layer."""
    paths = []
    for seed in range(3):
        model = net(seed)
        if seed == 2:
            variance = norms(model)[-1].moving_variance
            variance.assign(keras.ops.full(variance.shape, 5.0))
        paths.append(tmp_path / f"{seed}.weights.h5")
        save_weights(model, paths[-1])
    return paths


def test_learned_statistics_are_those_that_differ(files: list[Path]) -> None:
    model = net(7)
    assert learned_statistics(model, files) == [norms(model)[-1].name]
    assert learned_statistics(model, files[:2]) == []
    assert learned_statistics(model, files[2:]) == []


def test_only_learned_statistics_are_measured_anew(demo: PreparedDemo, tmp_path: Path) -> None:
    own = dataclasses.replace(demo, workspace=Workspace(tmp_path, "demo"))
    write_index(own.workspace.index, own.prepared.index)
    runs = [make_run(own, name, 1) for name in ("a", "b")]
    record = read_run(runs[0])
    file = fold_folder(runs[1], 0) / WEIGHTS
    model = rebuild_model(record)
    model.load_weights(file)
    before = [layer.get_weights() for layer in norms(model)]
    norms(model)[1].moving_mean.assign(norms(model)[1].moving_mean + 1.0)
    save_weights(model, file)
    mean = AveragedFold(run_spec(own, make_recipe({}, TINY), tmp_path / "soup", record.seed), runs)
    mean.predict(runs[:1], 0)
    same = [
        all(map(np.array_equal, layer.get_weights(), kept))
        for layer, kept in zip(norms(mean.model), before, strict=True)
    ]
    assert same == [place != 1 for place in range(len(before))]
