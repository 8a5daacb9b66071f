"""The mean of weights files, and of one fold of several runs."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest

from kagglecxr.core.errors import WeightsError
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
    load_mean_weights,
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


def test_every_weight_is_the_mean_of_the_files(files: list[Path]) -> None:
    read = []
    for path in files:
        model = net(9)
        model.load_weights(path)
        read.append(model.get_weights())
    mixed = net(7)
    load_mean_weights(mixed, files)
    for weight, *parts in zip(mixed.get_weights(), *read, strict=True):
        np.testing.assert_allclose(weight, np.mean(parts, axis=0), rtol=1e-6, atol=1e-7)


def test_learned_statistics_are_those_that_differ(files: list[Path]) -> None:
    model = net(7)
    assert learned_statistics(model, files) == [norms(model)[-1].name]
    assert learned_statistics(model, files[:2]) == []
    assert learned_statistics(model, files[2:]) == []


def test_the_mean_of_a_file_and_itself_is_the_file(files: list[Path]) -> None:
    model, alone = net(7), net(8)
    load_mean_weights(model, [files[0], files[0]])
    alone.load_weights(files[0])
    for one, other in zip(model.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


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


def test_a_file_of_another_net_is_refused(files: list[Path]) -> None:
    with pytest.raises(WeightsError, match=files[1].name.replace(".", r"\.") + "|0"):
        load_mean_weights(net(0, width=8), files)
