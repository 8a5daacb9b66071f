"""A fold learns which images are none of those it was trained for."""

import keras
import numpy as np
import numpy.typing as npt
import pytest

from kagglecxr.inference.novelty import Novelty, find_threshold, fit_novelty
from kagglecxr.models.feature_maps import add_pooled_features
from kagglecxr.training import fold_novelty
from kagglecxr.training.fold_novelty import learn_novelty
from kagglecxr.training.recipe import make_recipe
from kagglecxr.training.stage import build_model
from kagglecxr.training.tasks import make_task
from tests.conftest import SIZE, PreparedDemo
from tests.training.run_factories import fold_data


@pytest.fixture(scope="module")
def model(demo: PreparedDemo) -> keras.Model:
    """A network of random weights, whose features tell enough."""
    keras.utils.set_random_seed(1)
    return build_model(make_task(demo.prepared), make_recipe({}, ["model_options.width=4"]))


@pytest.fixture(scope="module")
def novelty(demo: PreparedDemo, model: keras.Model) -> Novelty:
    learned = learn_novelty(model, fold_data(demo), np.random.default_rng(0))
    return learned.relative_to(find_threshold(learned.held_out))


def features(model: keras.Model, images: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.float32]]:
    pooled = add_pooled_features(model).outputs[1:]
    outputs = keras.Model(model.input, pooled)(images[..., None].astype(np.float32))
    return [keras.ops.convert_to_numpy(output) for output in outputs]


def test_noise_and_black_images_are_refused_and_chest_x_rays_are_not(
    demo: PreparedDemo, model: keras.Model, novelty: Novelty
) -> None:
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (20, SIZE, SIZE), np.uint8)
    soft = np.clip(random.normal(128, 40, (20, SIZE, SIZE)), 0, 255).astype(np.uint8)
    black = np.zeros((1, SIZE, SIZE), np.uint8)
    for images in (noise, soft, black, black + 255):
        assert np.all(novelty.scores(features(model, images)) > 1.5)
    chests = demo.prepared.cache.images[demo.prepared.index.rows("test")]
    assert len(chests) > 20
    assert np.mean(novelty.scores(features(model, chests)) > 1.0) < 0.15


def test_each_side_of_the_fold_has_its_part(
    demo: PreparedDemo, model: keras.Model, novelty: Novelty
) -> None:
    data, images = fold_data(demo), demo.prepared.cache.images
    sides = [features(model, images[data.rows[data.held_out == side]]) for side in (False, True)]
    expected = fit_novelty(*sides)
    expected = expected.relative_to(find_threshold(expected.held_out))
    np.testing.assert_allclose(novelty.held_out, expected.held_out, rtol=1e-3)


def test_of_many_images_some_are_enough(
    demo: PreparedDemo, model: keras.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fold_novelty, "MAX_IMAGES", 10)
    data = fold_data(demo)
    first, again, other = (
        learn_novelty(model, data, np.random.default_rng(seed)).held_out for seed in (1, 1, 2)
    )
    assert len(first) == 10
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
