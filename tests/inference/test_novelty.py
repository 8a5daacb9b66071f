"""Images are unusual by their distance from all training images, at 1 % of false alarms."""

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.covariance import LedoitWolf

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import read_json
from kagglecxr.core.run_record import NOVELTY, NOVELTY_THRESHOLD
from kagglecxr.inference.members import member_for_files
from kagglecxr.inference.novelty import (
    FeatureGaussian,
    Novelty,
    find_threshold,
    fit_gaussian,
    fit_novelty,
    load_novelties,
    write_threshold,
)
from tests.conftest import PreparedDemo, copy_demo
from tests.inference.random_runs import random_run


def normal(images: int, channels: int, seed: int = 0) -> npt.NDArray[np.float32]:
    """Correlated features of different scales."""
    random = np.random.default_rng(seed)
    mix = np.random.default_rng(99).normal(size=(channels, channels)) / np.arange(1, channels + 1)
    return (random.normal(size=(images, channels)) @ mix + 3).astype(np.float32)


def small_novelty(held_out: int = 200) -> Novelty:
    sides = [
        [normal(count, 6, seed), normal(count, 3, seed + 1)]
        for count, seed in ((300, 0), (held_out, 5))
    ]
    return fit_novelty(*sides)


def test_distances_are_those_computed_by_hand() -> None:
    plane = FeatureGaussian(
        mean=np.array([1, 1], np.float32),
        directions=np.eye(2, dtype=np.float32),
        deviations=np.array([2, 0.5], np.float32),
        rest=np.float32(0),
    )
    features = np.array([[1, 1], [3, 2], [1, 0]], np.float32)
    np.testing.assert_allclose(plane.distances(features), [0, 5**0.5, 2])
    line = dataclasses.replace(
        plane,
        directions=plane.directions[:1],
        deviations=plane.deviations[:1],
        rest=np.float32(0.5),
    )
    np.testing.assert_allclose(line.distances(features), [0, 5**0.5, 2])


@pytest.mark.parametrize("images", [80, 8])
def test_with_all_directions_distances_are_scikit_learn_s(images: int) -> None:
    learned, others = normal(images, 10), 2 * normal(20, 10, seed=1)
    expected = LedoitWolf().fit(learned.astype(np.float64)).mahalanobis(others)
    np.testing.assert_allclose(fit_gaussian(learned).distances(others) ** 2, expected, rtol=1e-4)


def test_the_directions_left_out_have_their_mean_variance() -> None:
    learned = normal(500, 10)
    gaussian = fit_gaussian(learned, most=3)
    assert gaussian.directions.shape == (3, 10)
    covariance = LedoitWolf().fit(learned.astype(np.float64)).covariance_
    rest = np.trace(covariance) - np.square(gaussian.deviations, dtype=np.float64).sum()
    assert float(gaussian.rest) ** 2 == pytest.approx(rest / 7, rel=1e-4)
    assert np.mean(gaussian.distances(learned) ** 2) == pytest.approx(10, rel=0.05)


def test_a_channel_that_was_never_active_makes_an_image_unusual() -> None:
    learned, held_out, others = (
        np.hstack([normal(99, 4, s), np.zeros((99, 1), np.float32)]) for s in range(3)
    )
    novelty = fit_novelty([learned], [held_out])
    before = novelty.scores([others])
    others[:, 4] = 100.0
    assert np.all(novelty.scores([others]) > 3 * before)


def test_features_without_any_variance_are_no_fault() -> None:
    nothing = np.ones((90, 80), np.float32)
    novelty = fit_novelty([nothing, normal(90, 3)], [nothing, normal(90, 3, 1)])
    assert np.all(np.isfinite(novelty.held_out))
    assert np.all(novelty.scores([nothing + 1, normal(90, 3, 1)]) > 1)


def test_the_score_is_the_largest_distance_of_all_depths_by_its_scale() -> None:
    gaussian = FeatureGaussian(
        np.zeros(1, np.float32), np.eye(1, dtype=np.float32), np.ones(1, np.float32), np.float32(0)
    )
    novelty = Novelty([gaussian, gaussian], np.array([2.0, 4.0]), np.array([0.5, 1.0]))
    features = [np.array([[2], [0]], np.float32), np.array([[-2], [8]], np.float32)]
    np.testing.assert_allclose(novelty.scores(features), [1.0, 2.0])
    relative = novelty.relative_to(0.5)
    np.testing.assert_allclose(relative.scores(features), [2.0, 4.0])
    np.testing.assert_allclose(relative.held_out, [1.0, 2.0])


@given(st.lists(st.floats(0, 1e6, width=32), min_size=1, max_size=400))
def test_at_most_one_percent_of_the_held_out_images_exceed_the_threshold(
    scores: list[float],
) -> None:
    threshold = find_threshold(np.array(scores))
    assert threshold in scores
    above = sum(score > threshold for score in scores)
    assert above <= 0.01 * len(scores)
    assert sum(score >= threshold for score in scores) >= 0.01 * len(scores)


def test_the_threshold_leaves_out_as_many_as_it_may() -> None:
    assert find_threshold(np.arange(1, 100)) == 99
    assert find_threshold(np.arange(1, 200)) == 198
    assert find_threshold(np.arange(1, 11)) == 10


def test_new_images_of_the_same_kind_are_called_unusual_once_in_a_hundred() -> None:
    novelty = fit_novelty(*([normal(n, 80, n), normal(n, 5, n + 1)] for n in (600, 4000)))
    relative = novelty.relative_to(find_threshold(novelty.held_out))
    alarms = relative.scores([normal(9000, 80, 7), normal(9000, 5, 8)]) > 1
    assert 0.006 < alarms.mean() < 0.015
    assert np.all(relative.scores([normal(9, 80, 7), -normal(9, 5, 8)]) > 1)


def test_what_is_saved_scores_the_same(tmp_path: Path) -> None:
    novelty = small_novelty()
    novelty.save(tmp_path / NOVELTY)
    again = Novelty.load(tmp_path / NOVELTY)
    features = [normal(9, 6, 3), normal(9, 3, 4)]
    np.testing.assert_array_equal(again.scores(features), novelty.scores(features))
    np.testing.assert_array_equal(again.held_out, novelty.held_out)
    assert {array.dtype for array in vars(again.gaussians[0]).values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("kept", [0, 100, 2000])
def test_a_damaged_file_is_named(tmp_path: Path, kept: int) -> None:
    path = tmp_path / NOVELTY
    small_novelty().save(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"cannot be read.*novelty\.npz.*Remove novelty\.json"):
        Novelty.load(path)


@pytest.fixture(scope="module")
def run(demo: PreparedDemo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two folds, one of which knows its training images."""
    own = copy_demo(demo, tmp_path_factory.mktemp("novelty"))
    run = random_run(own, "run")
    small_novelty(held_out=150).save(run / "fold-1" / NOVELTY)
    return run


def test_a_run_has_a_threshold_of_all_its_folds_or_none(run: Path) -> None:
    write_threshold(run, 2)
    assert not (run / NOVELTY_THRESHOLD).exists()
    assert load_novelties([member_for_files(run)]) == {}
    first, second = small_novelty(held_out=90), Novelty.load(run / "fold-1" / NOVELTY)
    first.save(run / "fold-0" / NOVELTY)
    write_threshold(run, 2)
    threshold = find_threshold(np.concatenate([first.held_out, second.held_out]))
    assert read_json(run / NOVELTY_THRESHOLD) == {"threshold": threshold, "images": 240}
    novelties = load_novelties([member_for_files(run)])
    assert list(novelties) == [(0, 0), (0, 1)]
    np.testing.assert_allclose(novelties[0, 1].held_out, second.held_out / threshold)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"threshold": null}'])
def test_a_damaged_threshold_is_named(run: Path, tmp_path: Path, text: str) -> None:
    member = dataclasses.replace(member_for_files(run), run=tmp_path)
    (tmp_path / NOVELTY_THRESHOLD).write_text(text)
    with pytest.raises(DataError, match=r"threshold.*cannot be read.*novelty\.json"):
        load_novelties([member])
