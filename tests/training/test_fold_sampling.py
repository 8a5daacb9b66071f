"""A fold's training batches are those of the recipe's sampling."""

from pathlib import Path

import numpy as np
import pytest

from kagglecxr.core.errors import SettingError
from kagglecxr.data import BalancedSequence
from kagglecxr.data.samplers.sampling import SAMPLINGS
from kagglecxr.training.fold import FoldSummary
from kagglecxr.training.recipe import Recipe, make_recipe
from tests.conftest import PreparedDemo
from tests.training.eager_models import eagerly
from tests.training.run_factories import fold_data, train_demo_fold


def test_a_recipe_balances_unless_it_says_otherwise() -> None:
    assert Recipe().sampling == "balanced"


def test_a_sampling_there_is_not_is_refused_by_its_key() -> None:
    with pytest.raises(SettingError, match="sampling = 'smote'"):
        make_recipe({}, ["sampling=smote"])


def test_the_default_batches_are_those_of_the_balanced_sequence(demo: PreparedDemo) -> None:
    prepared, recipe = demo.prepared, make_recipe({}, ["batch_size=16"])
    side = prepared.fold != 0
    wanted = BalancedSequence(
        prepared.cache.images,
        prepared.class_ids()[side],
        16,
        pools=prepared.competition.pools(),
        seed=5,
        transform=recipe.augmentation,
        rows=prepared.index.rows("train")[side],
    )
    got = fold_data(demo).training_batches(recipe, 5)
    assert len(got) == len(wanted)
    for number in range(len(got)):
        for one, other in zip(got[number], wanted[number], strict=True):
            np.testing.assert_array_equal(one, other)


# Quick are the one with weights and the one that changes from epoch to epoch.
@pytest.mark.parametrize(
    "sampling",
    [
        pytest.param(name, marks=() if name == "progressive" else pytest.mark.slow)
        for name in SAMPLINGS.names()
    ],
)
def test_a_fold_trains_with_every_sampling(
    sampling: str, demo: PreparedDemo, tmp_path: Path
) -> None:
    changes = ["epochs=1", "model_options.width=4", "batch_size=16", "steps=2"]
    recipe = make_recipe({}, [*changes, f"sampling={sampling}"])
    batches = fold_data(demo).training_batches(recipe, 5)
    assert len(batches[0]) == (3 if sampling == "class_weights" else 2)
    with eagerly():
        folder = train_demo_fold(demo, recipe, tmp_path)
    assert np.isfinite(FoldSummary.read(folder).last_epoch["loss"])
