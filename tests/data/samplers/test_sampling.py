"""Every sampling fills every batch, and shows images as often as its name says."""

import sys

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from kagglecxr.core.errors import DataError, SettingError, UnknownNameError
from kagglecxr.data.samplers.balanced import BalancedSampler
from kagglecxr.data.samplers.epoch_sampler import EpochSampler, Targets
from kagglecxr.data.samplers.progressive import linear_rate
from kagglecxr.data.samplers.sampling import SAMPLINGS, class_weights, make_sampler
from tests.data.samplers.test_balanced import Pools, problems, shuffled_labels, spread

NAMES = SAMPLINGS.names()


def drawn_counts(
    sampler: EpochSampler, labels: npt.NDArray[np.integer], drawn: int
) -> list[list[int]]:
    """How many of the first `drawn` images of an epoch each class of each target has."""
    shown = np.bincount(labels[sampler.order(0)[:drawn]], minlength=int(labels.max()) + 1)
    return [[int(shown[label]) for label in pool] for pool in sampler.targets.pools]


@given(problems(), st.sampled_from(NAMES), st.integers(0, 2**31), st.integers(0, 5))
@settings(max_examples=100, deadline=None)
def test_every_sampling_fills_whole_batches_as_a_function_of_seed_and_epoch(
    problem: tuple[list[int], Pools | None, int], sampling: str, seed: int, epoch: int
) -> None:
    counts, pools, batch_size = problem
    labels = shuffled_labels(counts, seed)
    sampler, again = (make_sampler(sampling, labels, pools, batch_size, seed) for _ in range(2))
    order = sampler.order(epoch)
    assert sampler.batches >= 1
    assert len(order) == sampler.batches * batch_size
    assert set(order) <= set(range(len(labels)))
    again.order(epoch + 1)
    np.testing.assert_array_equal(again.order(epoch), order)
    if sampling != "undersampled":
        assert set(order) == set(range(len(labels)))


def test_balanced_is_the_balanced_sampler() -> None:
    labels = shuffled_labels([5, 9, 3], 0)
    sampler = make_sampler("balanced", labels, [[0, 2], [1]], 4, 7)
    wanted = BalancedSampler(Targets(labels, [[0, 2], [1]]), 4, 7)
    np.testing.assert_array_equal(sampler.order(3), wanted.order(3))


def test_progressive_goes_from_natural_to_balanced_by_default() -> None:
    labels = shuffled_labels([40, 8], 0)
    sampler = make_sampler("progressive", labels, None, 8, 7)
    first, last = (np.bincount(labels[sampler.order(epoch)]) for epoch in (0, 9))
    assert first[0] / first.sum() == pytest.approx(40 / 48, abs=1 / first.sum())
    assert last[0] == last[1]
    back = make_sampler("progressive", labels, None, 8, 7, linear_rate(1.0, 0.0, 10))
    assert np.ptp(np.bincount(labels[back.order(0)])) == 0


@given(problems(), st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_natural_shows_each_image_once_before_it_fills_the_last_batch(
    problem: tuple[list[int], Pools | None, int], seed: int
) -> None:
    counts, pools, batch_size = problem
    labels = shuffled_labels(counts, seed)
    sampler = make_sampler("natural", labels, pools, batch_size, seed)
    assert sampler.batches == -(-len(labels) // batch_size)
    assert sorted(sampler.order(0)[: len(labels)]) == list(range(len(labels)))
    assert spread(np.bincount(sampler.order(0))) <= 1
    assert sampler.weights is None


def test_natural_order_changes_with_epoch_and_seed() -> None:
    labels = shuffled_labels([20, 20], 0)
    orders = [
        make_sampler("natural", labels, None, 8, seed).order(e)
        for seed, e in ((0, 0), (0, 1), (1, 0))
    ]
    assert len({order.tobytes() for order in orders}) == 3


@given(st.lists(st.integers(1, 50), min_size=1, max_size=6), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_class_weights_without_pools_are_those_of_scikit_learn(
    counts: list[int], seed: int
) -> None:
    labels = shuffled_labels(counts, seed)
    wanted = compute_class_weight("balanced", classes=np.arange(len(counts)), y=labels)
    got = class_weights(Targets(labels, None))
    np.testing.assert_allclose(got, wanted[labels], rtol=1e-6)


@given(problems(), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_class_weights_make_targets_and_their_classes_weigh_the_same(
    problem: tuple[list[int], Pools | None, int], seed: int
) -> None:
    counts, pools, batch_size = problem
    labels = shuffled_labels(counts, seed)
    sampler = make_sampler("class_weights", labels, pools, batch_size, seed)
    weights = sampler.weights
    assert weights is not None
    assert weights.dtype == np.float32
    assert weights.mean() == pytest.approx(1.0, rel=1e-5)
    for pool in sampler.targets.pools:
        sums = [weights[labels == label].sum() for label in pool]
        share = len(labels) / (len(sampler.targets) * len(pool))
        np.testing.assert_allclose(sums, share, rtol=1e-5)
    natural = make_sampler("natural", labels, pools, batch_size, seed)
    np.testing.assert_array_equal(sampler.order(2), natural.order(2))


@given(problems(), st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_oversampled_targets_and_classes_are_equal_and_keep_every_image(
    problem: tuple[list[int], Pools | None, int], seed: int
) -> None:
    counts, pools, batch_size = problem
    labels = shuffled_labels(counts, seed)
    sampler = make_sampler("oversampled", labels, pools, batch_size, seed)
    most = max(len(pool) * max(counts[k] for k in pool) for pool in sampler.targets.pools)
    drawn = drawn_counts(sampler, labels, most * len(sampler.targets))
    assert [sum(own) for own in drawn] == [most] * len(sampler.targets)
    assert all(spread(own) <= 1 for own in drawn)


@given(problems(), st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_undersampled_targets_and_classes_are_equal_and_repeat_no_image(
    problem: tuple[list[int], Pools | None, int], seed: int
) -> None:
    counts, pools, batch_size = problem
    labels = shuffled_labels(counts, seed)
    sampler = make_sampler("undersampled", labels, pools, batch_size, seed)
    least = min(len(pool) * min(counts[k] for k in pool) for pool in sampler.targets.pools)
    total = least * len(sampler.targets)
    if len(counts) > 1:
        assert len(set(sampler.order(0)[:total])) == total
    drawn = drawn_counts(sampler, labels, total)
    assert [sum(own) for own in drawn] == [least] * len(sampler.targets)
    assert all(spread(own) <= 1 for own in drawn)


@pytest.mark.parametrize("sampling", ["oversampled", "undersampled"])
def test_resampling_draws_other_images_each_epoch(sampling: str) -> None:
    sampler = make_sampler(sampling, shuffled_labels([40, 8], 0), None, 8, 0)
    shown = [np.bincount(sampler.order(epoch), minlength=48).tolist() for epoch in (0, 1)]
    assert shown[0] != shown[1]


def test_resampling_without_imbalanced_learn_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "imblearn", None)
    with pytest.raises(SettingError, match=r"pip install 'kagglecxr\[sampling\]'"):
        make_sampler("oversampled", np.array([0, 1]), None, 2, 0)
    make_sampler("natural", np.array([0, 1]), None, 2, 0)


def test_an_unknown_sampling_is_refused_by_the_nearest_names() -> None:
    with pytest.raises(UnknownNameError, match="oversampled"):
        make_sampler("oversample", np.array([0, 1]), None, 2, 0)


@pytest.mark.parametrize("sampling", NAMES)
def test_bad_data_and_settings_are_refused_by_every_sampling(sampling: str) -> None:
    with pytest.raises(DataError, match="none for class 1"):
        make_sampler(sampling, np.array([0, 2]), None, 2, 0)
    with pytest.raises(SettingError, match="batch_size=0"):
        make_sampler(sampling, np.array([0, 1]), None, 0, 0)


@pytest.mark.parametrize("sampling", NAMES)
def test_a_class_of_fewer_images_than_the_batch_still_gives_full_batches(
    sampling: str,
) -> None:
    sampler = make_sampler(sampling, np.array([0, 1, 1, 1]), None, 64, 0)
    assert len(sampler.order(0)) == 64
