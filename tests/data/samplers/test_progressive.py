"""Shares between balanced and natural are met to the image, in full batches, at every rate."""

import math
from fractions import Fraction
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kagglecxr.core.errors import SettingError
from kagglecxr.data.samplers.balanced import BalancedSampler
from kagglecxr.data.samplers.epoch_sampler import Targets
from kagglecxr.data.samplers.progressive import ProgressiveSampler, Rate, linear_rate
from tests.data.samplers.test_balanced import Pools, problems, shuffled_labels, spread


def constant(rate: float) -> Rate:
    return lambda epoch: rate


def progressive(
    labels: npt.NDArray[np.integer], pools: Pools | None, batch_size: int, seed: int, rate: Rate
) -> ProgressiveSampler:
    return ProgressiveSampler(Targets(labels, pools), batch_size, seed, rate)


def ideal_shares(
    sampler: ProgressiveSampler, labels: npt.NDArray[np.integer], rate: float
) -> list[Fraction]:
    """The share of the slots each class should have, by the definition, in class order."""
    exact, counts = Fraction(rate), np.bincount(labels)
    shares = [Fraction()] * len(counts)
    for pool in sampler.targets.pools:
        for label in pool:
            even = Fraction(1, len(sampler.targets.pools) * len(pool))
            own = Fraction(int(counts[label]), len(labels))
            shares[label] = exact * even + (1 - exact) * own
    return shares


RATES = st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(0, 1))


@given(problems(), st.integers(0, 2**31), RATES, st.integers(0, 5))
@example(([3, 4, 1], [[1], [0, 2]], 3), 0, 0.95, 0)  # the balanced length is too short here
@settings(max_examples=150, deadline=None)
def test_shares_of_an_epoch_are_met_to_within_an_image_and_no_image_is_left_out(
    problem: tuple[list[int], Pools | None, int], seed: int, rate: float, epoch: int
) -> None:
    counts, pools, batch_size = problem
    labels = shuffled_labels(counts, seed)
    sampler = progressive(labels, pools, batch_size, seed, constant(rate))
    order = sampler.order(epoch)
    assert len(order) == sampler.batches * batch_size
    ideal = [share * sampler.slots for share in ideal_shares(sampler, labels, rate)]
    shown = np.bincount(labels[order], minlength=len(counts)).tolist()
    for pool in sampler.targets.pools:
        assert abs(sum(shown[k] for k in pool) - sum(ideal[k] for k in pool)) < 1
    shown_images = np.bincount(order, minlength=len(labels))
    assert shown_images.min() >= 1
    assert all(spread(shown_images[labels == label]) <= 1 for label in range(len(counts)))
    if rate < 1:
        assert all(abs(shown[k] - ideal[k]) < 1 for k in range(len(counts)))


@given(problems(), st.integers(0, 2**31), RATES)
@example(([5, 1, 1, 1, 1], None, 1), 0, 0.0)  # a frequent class must not run ahead of its share
@settings(max_examples=100, deadline=None)
def test_every_first_part_of_an_epoch_holds_the_targets_in_proportion(
    problem: tuple[list[int], Pools | None, int], seed: int, rate: float
) -> None:
    counts, pools, batch_size = problem
    labels = shuffled_labels(counts, seed)
    sampler = progressive(labels, pools, batch_size, seed, constant(rate))
    placed = np.eye(len(sampler.targets), dtype=int)[sampler.targets.of_item[sampler.order(0)]]
    first_parts = placed.cumsum(axis=0)
    whole = first_parts[-1]
    for slot, shown in enumerate(first_parts, start=1):
        for target, count in enumerate(shown.tolist()):
            assert abs(count - Fraction(int(whole[target]) * slot, sampler.slots)) < 1
    for one, other in combinations(range(0, sampler.slots, batch_size), 2):
        parts = [placed[start:][:batch_size].sum(axis=0) for start in (one, other)]
        assert np.abs(parts[0] - parts[1]).max() < 4


@given(problems(), st.integers(0, 2**31))
@example(([1, 1, 3], [[0, 1, 2]], 2), 0)  # where serving the earliest deadline is not fair enough
@settings(max_examples=100, deadline=None)
def test_an_epoch_of_rate_one_keeps_the_balanced_contract_and_is_hardly_longer(
    problem: tuple[list[int], Pools | None, int], seed: int
) -> None:
    counts, pools, batch_size = problem
    labels = shuffled_labels(counts, seed)
    sampler = progressive(labels, pools, batch_size, seed, constant(1.0))
    order = sampler.order(0)
    for part in (*order.reshape(-1, batch_size), order):
        shown = np.bincount(labels[part], minlength=len(counts))
        inside = [[shown[label] for label in pool] for pool in sampler.targets.pools]
        assert spread([sum(classes) for classes in inside]) <= 1
        assert all(spread(classes) <= 1 for classes in inside)
    shortest = BalancedSampler(sampler.targets, batch_size, seed).batches
    a_round = len(sampler.targets) * max(map(len, sampler.targets.pools))
    assert shortest <= sampler.batches <= shortest + math.ceil(a_round / batch_size)


def test_a_rate_falls_over_the_epochs_and_the_length_stays() -> None:
    labels = shuffled_labels([90, 10], 0)
    sampler = progressive(labels, None, 10, 0, linear_rate(epochs=5))
    shares = [float(np.mean(labels[sampler.order(epoch)] == 1)) for epoch in range(7)]
    assert shares == pytest.approx([0.5, 0.4, 0.3, 0.2, 0.1, 0.1, 0.1], abs=1 / sampler.slots)
    assert {len(sampler.order(epoch)) for epoch in range(7)} == {180}


def test_a_rate_is_met_as_it_is_and_not_rounded() -> None:
    labels = shuffled_labels([9000, 1000], 0)
    sampler = progressive(labels, None, 100, 0, constant(0.123))
    shown = np.bincount(labels[sampler.order(0)])
    assert abs(shown[1] - sampler.slots * (0.123 * 0.5 + 0.877 * 0.1)) < 1


def test_the_order_is_a_function_of_seed_and_epoch_alone() -> None:
    labels = shuffled_labels([9, 2, 5], 0)
    sampler, again = (progressive(labels, None, 4, 7, linear_rate(epochs=3)) for _ in range(2))
    orders = [sampler.order(epoch).copy() for epoch in range(4)]
    for epoch in (2, 0, 3, 3, 1):
        np.testing.assert_array_equal(again.order(epoch), orders[epoch])


def test_a_linear_rate_goes_either_way_and_stays_at_its_end() -> None:
    rising = linear_rate(0.0, 1.0, epochs=3)
    assert [rising(epoch) for epoch in range(5)] == [0.0, 0.5, 1.0, 1.0, 1.0]
    assert linear_rate(0.3, 0.7, epochs=1)(0) == 0.7
    assert linear_rate(0.2, 0.2)(4) == pytest.approx(0.2)


@pytest.mark.parametrize("rate", [-0.1, 1.5, float("nan"), float("inf")])
def test_a_rate_outside_zero_to_one_is_refused(rate: float) -> None:
    with pytest.raises(SettingError, match=f"Received: {rate}"):
        progressive(np.array([0, 1]), None, 2, 0, constant(rate)).order(0)
    with pytest.raises(SettingError, match=f"Received: {rate}"):
        linear_rate(last=rate)


def test_a_rate_over_no_epochs_is_refused() -> None:
    with pytest.raises(SettingError, match="epochs=0"):
        linear_rate(epochs=0)
