"""Every sampling fills every batch, and shows images as often as its name says."""

import sys
from typing import get_args

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
from kagglecxr.data.samplers.sampling import Sampling, class_weights, make_sampler
from tests.data.samplers.test_balanced import Pools, problems, shuffled_labels, spread

NAMES: tuple[Sampling, ...] = get_args(Sampling)


def drawn_counts(
    plan: EpochSampler, labels: npt.NDArray[np.integer], drawn: int
) -> list[list[int]]:
    """How many of the first `drawn` images of an epoch each class of each target has."""
    shown = np.bincount(labels[plan.order(0)[:drawn]], minlength=int(labels.max()) + 1)
    return [[int(shown[label]) for label in pool] for pool in plan.targets.pools]


@given(problems(), st.sampled_from(NAMES), st.integers(0, 2**31), st.integers(0, 5))
@settings(max_examples=100, deadline=None)
def test_every_sampling_fills_whole_batches_as_a_function_of_seed_and_epoch(
    problem: tuple[list[int], Pools | None, int], sampling: Sampling, seed: int, epoch: int
) -> None:
    counts, pools, batch_size = problem
    labels = shuffled_labels(counts, seed)
    plan, again = (make_sampler(sampling, labels, pools, batch_size, seed) for _ in range(2))
    order = plan.order(epoch)
    assert plan.batches >= 1
    assert len(order) == plan.batches * batch_size
    assert set(order) <= set(range(len(labels)))
    again.order(epoch + 1)
    np.testing.assert_array_equal(again.order(epoch), order)
    if sampling != "undersampled":
        assert set(order) == set(range(len(labels)))


def test_balanced_is_the_balanced_plan() -> None:
    labels = shuffled_labels([5, 9, 3], 0)
    plan = make_sampler("balanced", labels, [[0, 2], [1]], 4, 7)
    wanted = BalancedSampler(Targets(labels, [[0, 2], [1]]), 4, 7)
    np.testing.assert_array_equal(plan.order(3), wanted.order(3))


def test_rated_goes_from_natural_to_balanced_unless_told_otherwise() -> None:
    labels = shuffled_labels([40, 8], 0)
    plan = make_sampler("progressive", labels, None, 8, 7)
    first, last = (np.bincount(labels[plan.order(epoch)]) for epoch in (0, 9))
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
    plan = make_sampler("natural", labels, pools, batch_size, seed)
    assert plan.batches == -(-len(labels) // batch_size)
    assert sorted(plan.order(0)[: len(labels)]) == list(range(len(labels)))
    assert spread(np.bincount(plan.order(0))) <= 1
    assert plan.weights is None


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
    plan = make_sampler("class_weights", labels, pools, batch_size, seed)
    weights = plan.weights
    assert weights is not None
    assert weights.dtype == np.float32
    assert weights.mean() == pytest.approx(1.0, rel=1e-5)
    for pool in plan.targets.pools:
        sums = [weights[labels == label].sum() for label in pool]
        share = len(labels) / (len(plan.targets) * len(pool))
        np.testing.assert_allclose(sums, share, rtol=1e-5)
    natural = make_sampler("natural", labels, pools, batch_size, seed)
    np.testing.assert_array_equal(plan.order(2), natural.order(2))


@given(problems(), st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_oversampled_targets_and_classes_are_equal_and_keep_every_image(
    problem: tuple[list[int], Pools | None, int], seed: int
) -> None:
    counts, pools, batch_size = problem
    labels = shuffled_labels(counts, seed)
    plan = make_sampler("oversampled", labels, pools, batch_size, seed)
    most = max(len(pool) * max(counts[k] for k in pool) for pool in plan.targets.pools)
    drawn = drawn_counts(plan, labels, most * len(plan.targets))
    assert [sum(own) for own in drawn] == [most] * len(plan.targets)
    assert all(spread(own) <= 1 for own in drawn)


@given(problems(), st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_undersampled_targets_and_classes_are_equal_and_repeat_no_image(
    problem: tuple[list[int], Pools | None, int], seed: int
) -> None:
    counts, pools, batch_size = problem
    labels = shuffled_labels(counts, seed)
    plan = make_sampler("undersampled", labels, pools, batch_size, seed)
    least = min(len(pool) * min(counts[k] for k in pool) for pool in plan.targets.pools)
    total = least * len(plan.targets)
    if len(counts) > 1:
        assert len(set(plan.order(0)[:total])) == total
    drawn = drawn_counts(plan, labels, total)
    assert [sum(own) for own in drawn] == [least] * len(plan.targets)
    assert all(spread(own) <= 1 for own in drawn)


@pytest.mark.parametrize("sampling", ["oversampled", "undersampled"])
def test_resampling_draws_other_images_each_epoch(sampling: Sampling) -> None:
    plan = make_sampler(sampling, shuffled_labels([40, 8], 0), None, 8, 0)
    shown = [np.bincount(plan.order(epoch), minlength=48).tolist() for epoch in (0, 1)]
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
        make_sampler("oversample", np.array([0, 1]), None, 2, 0)  # type: ignore[arg-type]


@pytest.mark.parametrize("sampling", NAMES)
def test_bad_data_and_settings_are_refused_by_every_sampling(sampling: Sampling) -> None:
    with pytest.raises(DataError, match="none for class 1"):
        make_sampler(sampling, np.array([0, 2]), None, 2, 0)
    with pytest.raises(SettingError, match="batch_size=0"):
        make_sampler(sampling, np.array([0, 1]), None, 0, 0)


@pytest.mark.parametrize("sampling", NAMES)
def test_a_class_of_fewer_images_than_the_batch_still_gives_full_batches(
    sampling: Sampling,
) -> None:
    plan = make_sampler(sampling, np.array([0, 1, 1, 1]), None, 64, 0)
    assert len(plan.order(0)) == 64
