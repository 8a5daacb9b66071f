"""A head learns from kept features as it would from the images, and the pass is made once."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from kagglecxr.core import deadline
from kagglecxr.core.deadline import Deadline
from kagglecxr.core.errors import SettingError
from kagglecxr.core.progress import Silent
from kagglecxr.inference.predictions import Predictions
from kagglecxr.inference.view_passes import predict_views
from kagglecxr.models.batch_norm import recalibrate_batch_norm
from kagglecxr.models.weights.hdf5 import save_weights
from kagglecxr.training import stage as stage_module
from kagglecxr.training.features import feature_cache
from kagglecxr.training.features.feature_cache import FeatureCache
from kagglecxr.training.features.frozen_features import frozen_features, uses_frozen_features
from kagglecxr.training.fold import FoldOptions
from kagglecxr.training.recipe import Recipe, make_recipe
from kagglecxr.training.stage import build_model
from kagglecxr.training.tasks import make_task
from tests.conftest import PreparedDemo, prepare_demo
from tests.training.eager_models import eagerly
from tests.training.run_factories import fold_data, train_demo_fold

STILL = [
    f"augmentation.{name}=0"
    for name in ("rotation", "zoom", "shift", "contrast", "brightness", "hflip")
]
HEAD = ["model=mobilenet_025", "trainable=head", "batch_size=16", *STILL]


@pytest.fixture(scope="module")
def own(demo_images: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedDemo:
    return prepare_demo(demo_images, tmp_path_factory.mktemp("features"))


@pytest.fixture(scope="module")
def weights(own: PreparedDemo, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A backbone whose features differ from image to image, as those of ImageNet do."""
    path = tmp_path_factory.mktemp("weights") / "model.weights.h5"
    keras.utils.set_random_seed(0)
    recipe = _recipe("trainable=all")
    model = build_model(make_task(own.prepared), recipe)
    # With the statistics it is born with, a deep net answers every image alike.
    data = fold_data(own)
    recalibrate_batch_norm(model, data.plain_images(recipe, 0))
    save_weights(model, path)
    return [path]


def _recipe(*changes: str) -> Recipe:
    return make_recipe({}, ["epochs=3", "learning_rate=0.01", *HEAD, *changes])


def _trained(
    own: PreparedDemo, folder: Path, recipe: Recipe, weights: list[Path], fold: int = 0
) -> Path:
    options = FoldOptions(weights=lambda: weights, learn_novelty=False)
    return train_demo_fold(own, recipe, folder, options, fold)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([], True),
        (["augmentation.hflip=0.5"], True),
        (["augmentation.rotation=5"], False),
        (["augmentation.mixup=0.2"], False),
        (["augmentation.hflip=0.5", "augmentation.where=model"], False),
        (["trainable=last_conv"], True),
        (["trainable=all"], False),
        (["model=cnn_small"], False),
    ],
)
def test_features_are_kept_where_they_are_the_same_every_time(
    changes: list[str], expected: bool
) -> None:
    assert uses_frozen_features(_recipe(*changes)) == expected


# Of the exponent of "gem" the file knows nothing.
@pytest.mark.filterwarnings("ignore:Weights fit a model only in part")
@pytest.mark.slow
@pytest.mark.parametrize("pooling", ["average", "gem"])
def test_the_head_learns_what_it_would_from_the_images(
    own: PreparedDemo,
    weights: list[Path],
    tmp_path: Path,
    pooling: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = _recipe(f"model_options.pooling={pooling}", "epochs=2", "steps=4")
    quick = _trained(own, tmp_path / "features", recipe, weights)
    with monkeypatch.context() as patch:
        patch.setattr(stage_module, "uses_frozen_features", lambda recipe: False)
        with eagerly():
            plain = _trained(own, tmp_path / "images", recipe, weights)
    one, other = (Predictions.load(folder / "validation.npz") for folder in (quick, plain))
    assert one.ids.tolist() == other.ids.tolist()
    np.testing.assert_allclose(one.probabilities, other.probabilities, atol=2e-3)
    assert np.ptp(one.probabilities, axis=0).max() > 0.02
    history, wanted = (pd.read_csv(folder / "history.csv") for folder in (quick, plain))
    np.testing.assert_allclose(history["val_loss"], wanted["val_loss"], atol=2e-3)


@pytest.mark.slow
def test_the_last_convolutions_learn_what_they_would_from_the_images(
    own: PreparedDemo, weights: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Maps are kept in half precision; what that changes is far below what an epoch does."""
    recipe = _recipe("trainable=last_2_conv", "batch_norm=frozen", "learning_rate=1e-3", "epochs=1")
    quick = _trained(own, tmp_path / "features", recipe, weights)
    with monkeypatch.context() as patch:
        patch.setattr(stage_module, "uses_frozen_features", lambda recipe: False)
        plain = _trained(own, tmp_path / "images", recipe, weights)
    one, other = (Predictions.load(folder / "validation.npz") for folder in (quick, plain))
    np.testing.assert_allclose(one.probabilities, other.probabilities, atol=2e-2)
    model = build_model(make_task(own.prepared), recipe, weights)
    before = predict_views(
        model,
        own.prepared.cache.images,
        fold_data(own).rows[own.prepared.fold == 0],
    )
    assert np.abs(before - one.probabilities).max() > 0.05


def test_features_that_half_precision_cannot_hold_are_refused(
    own: PreparedDemo, tmp_path: Path
) -> None:
    image = keras.Input((*own.prepared.cache.images.shape[1:3], 1))
    trunk = keras.Model(image, keras.layers.Rescaling(1e4)(image))
    rows = own.prepared.index.rows("train")
    kept = FeatureCache(own.prepared.cache, rows, trunk, "bright", Silent())
    with pytest.raises(SettingError, match="half precision"):
        kept.of("identity")


def test_a_pass_that_does_not_end_in_time_is_refused_at_once(
    own: PreparedDemo, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = keras.Input((*own.prepared.cache.images.shape[1:3], 1))
    trunk = keras.Model(image, keras.layers.GlobalMaxPooling2D()(image), name="maxima")
    rows = own.prepared.index.rows("train")
    now = iter(range(10**6))
    monkeypatch.setattr(deadline, "monotonic", lambda: float(next(now)))
    name = f"in time {len(rows)}"
    early, late = (
        FeatureCache(own.prepared.cache, rows, trunk, name, Silent(), Deadline.within(s))
        for s in (4.0, 1000.0)
    )
    with pytest.raises(SettingError, match="s to come for maxima"):
        early.of("identity")
    assert late.of("identity").shape == (len(rows), 1)


def test_one_pass_serves_all_folds_and_heads(
    own: PreparedDemo, weights: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = _recipe("epochs=1")
    _trained(own, tmp_path / "first", recipe, weights)

    def never(*arguments: object) -> None:
        raise AssertionError("features were worked out again")

    monkeypatch.setattr(feature_cache.FeatureCache, "_write", never)
    _trained(own, tmp_path / "second", recipe, weights, fold=1)
    other_head = _recipe("epochs=1", "model_options.dense=[8]", "loss=focal")
    with pytest.warns(UserWarning, match="nothing for"):
        _trained(own, tmp_path / "third", other_head, weights)


def test_mirrored_images_have_the_features_of_the_other_side(
    own: PreparedDemo, weights: list[Path]
) -> None:
    recipe = _recipe("augmentation.hflip=1.0")
    model = build_model(make_task(own.prepared), recipe, weights)
    data = fold_data(own)
    fitting = frozen_features(data, model, recipe, Silent()).fit_inputs(recipe, 5)
    features, targets = fitting.batches[0]
    images, wanted = data.training_batches(recipe, 5, augmented=False)[0]
    np.testing.assert_array_equal(targets, wanted)
    trunk = keras.Model(model.input, model.get_layer("pool").output)
    np.testing.assert_allclose(
        features, trunk.predict(images[:, :, ::-1], verbose=0), rtol=1e-4, atol=1e-5
    )


@pytest.mark.slow
def test_an_interrupted_head_ends_with_the_same_bytes(
    own: PreparedDemo, weights: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = _recipe("augmentation.hflip=0.5")
    whole = _trained(own, tmp_path / "whole", recipe, weights)

    class Killed(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
            if epoch == 1:
                raise KeyboardInterrupt

    options = FoldOptions(weights=lambda: weights, callbacks=lambda inputs: [Killed()])
    with pytest.raises(KeyboardInterrupt):
        train_demo_fold(own, recipe, tmp_path / "halved", options)
    halved = _trained(own, tmp_path / "halved", recipe, weights)
    kept, again = (Predictions.load(folder / "validation.npz") for folder in (whole, halved))
    np.testing.assert_array_equal(kept.probabilities, again.probabilities)
