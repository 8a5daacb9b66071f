"""A run can start from another, unless that has seen what is held out here."""

from pathlib import Path

import numpy as np
import pytest

from kagglecxr.core.errors import LeakError, MissingError
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import WEIGHTS, fold_folder
from kagglecxr.models.zoo import create_model
from kagglecxr.training.initial_weights import fetch_weights
from kagglecxr.training.recipe import Recipe, make_recipe
from kagglecxr.training.run import RunOptions, train_run
from tests.conftest import PreparedDemo, prepare_demo
from tests.training.eager_models import eagerly

# A rate at which a weight hardly moves: what training started from is seen in its end.
STILL = (
    "epochs=1",
    "model_options.width=4",
    "learning_rate=1e-12",
    "weight_decay=0",
    "batch_size=64",
    "steps=1",
)


@pytest.fixture(scope="module")
def own(demo_images: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedDemo:
    return prepare_demo(demo_images, tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="module")
def first(own: PreparedDemo) -> Path:
    with eagerly():
        return train_run(own.prepared, own.workspace, _still(), Silent(), RunOptions(folds=2))


def _still(*changes: str) -> Recipe:
    return make_recipe({}, [*STILL, *changes])


def _kernels(run: Path, fold: int) -> np.ndarray:
    model = create_model("cnn_small", num_classes=4, input_shape=(48, 48, 1), width=4)
    model.load_weights(fold_folder(run, fold) / WEIGHTS)
    return np.asarray(model.get_layer("block4_2_conv").kernel)


def test_a_fold_starts_from_the_same_fold_of_the_other_run(own: PreparedDemo, first: Path) -> None:
    recipe = _still(f'weights="{first}"', "loss=focal")
    options = RunOptions(folds=2, only_fold=1)
    with eagerly():
        second = train_run(own.prepared, own.workspace, recipe, Silent(), options)
    np.testing.assert_allclose(_kernels(second, 1), _kernels(first, 1), atol=1e-6)
    assert not np.allclose(_kernels(first, 0), _kernels(first, 1), atol=1e-3)


def test_a_run_on_other_folds_of_the_same_images_is_refused(
    first: Path, demo_images: Path, tmp_path: Path
) -> None:
    other = prepare_demo(demo_images, tmp_path, seed=1)
    with pytest.raises(LeakError, match="has learned from images that are held out here"):
        train_run(other.prepared, other.workspace, _still(f'weights="{first}"'), Silent())


def test_a_kaggle_model_out_of_reach_says_how_to_attach_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KAGGLE_API_TOKEN", raising=False)
    recipe = make_recipe({}, ['weights="kaggle://me/cxr/keras/small/2"'])
    with pytest.raises(MissingError, match="model_sources"):
        fetch_weights(recipe, Silent())


def test_a_file_is_taken_as_it_is() -> None:
    recipe = make_recipe({}, ['weights=["imagenet", "lungs.weights.h5"]'])
    assert fetch_weights(recipe, Silent()) == ["imagenet", "lungs.weights.h5"]
