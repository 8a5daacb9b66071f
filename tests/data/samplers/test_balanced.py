"""The epoch sampler against the contract's letter, and against an independent search."""

from collections.abc import Sequence
from itertools import combinations, product

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from kagglecxr.data.samplers.balanced import BalancedSampler, slots_needed
from kagglecxr.data.samplers.epoch_sampler import Targets

Pools = list[list[int]]


@st.composite
def problems(draw: st.DrawFn, most: int = 9) -> tuple[list[int], Pools | None, int]:
    """How many images each class has, which classes make each target, and a batch size."""
    counts = draw(st.lists(st.integers(1, most), min_size=1, max_size=5))
    batch_size = draw(st.integers(1, 9))
    # None first: hypothesis shrinks towards it.
    if draw(st.sampled_from([None, "pools", "pools"])) is None:
        return counts, None, batch_size
    classes = len(counts)
    pool_of = draw(st.lists(st.integers(0, classes - 1), min_size=classes, max_size=classes))
    pools = [[k for k in range(classes) if pool_of[k] == pool] for pool in range(classes)]
    return counts, [pool for pool in pools if pool], batch_size


def shuffled_labels(counts: Sequence[int], seed: int) -> npt.NDArray[np.int64]:
    labels = np.repeat(np.arange(len(counts)), counts)
    return np.random.default_rng(seed).permutation(labels)


def balanced(
    labels: npt.NDArray[np.integer], pools: Pools | None, batch_size: int, seed: int
) -> BalancedSampler:
    return BalancedSampler(Targets(labels, pools), batch_size, seed)


def fair_shares(total: int, members: int) -> list[list[int]]:
    """Every way to give `members` members `total` slots, no two more than one apart."""
    share, extra = divmod(total, members)
    return [
        [share + (k in favoured) for k in range(members)]
        for favoured in combinations(range(members), extra)
    ]


def an_assignment_exists(slots: int, pools: Pools, counts: Sequence[int]) -> bool:
    """Whether some fair epoch of `slots` slots shows every image, found by trying them all."""
    return any(
        all(
            any(
                all(own >= counts[label] for own, label in zip(inside, pool, strict=True))
                for inside in fair_shares(share, len(pool))
            )
            for share, pool in zip(shares, pools, strict=True)
        )
        for shares in fair_shares(slots, len(pools))
    )


def spread(counts: Sequence[int] | npt.NDArray[np.intp]) -> int:
    return int(max(counts) - min(counts))


@given(problems(), st.integers(0, 2**31), st.integers(0, 5))
@settings(max_examples=150, deadline=None)
def test_batches_and_epochs_weigh_targets_and_their_classes_the_same(
    problem: tuple[list[int], Pools | None, int], seed: int, epoch: int
) -> None:
    counts, pools, batch_size = problem
    labels = shuffled_labels(counts, seed)
    sampler = balanced(labels, pools, batch_size, seed)
    order = sampler.order(epoch)
    assert len(order) == sampler.batches * batch_size
    for part in (*order.reshape(-1, batch_size), order):
        shown = np.bincount(labels[part], minlength=len(counts))
        inside = [[shown[label] for label in pool] for pool in sampler.targets.pools]
        assert spread([sum(classes) for classes in inside]) <= 1
        assert all(spread(classes) <= 1 for classes in inside)


@given(problems(), st.integers(0, 2**31), st.integers(0, 5))
@settings(max_examples=100, deadline=None)
def test_an_epoch_shows_every_image_and_no_image_of_a_class_twice_more_than_another(
    problem: tuple[list[int], Pools | None, int], seed: int, epoch: int
) -> None:
    counts, pools, batch_size = problem
    labels = shuffled_labels(counts, seed)
    shown = np.bincount(
        balanced(labels, pools, batch_size, seed).order(epoch), minlength=len(labels)
    )
    assert shown.min() >= 1
    assert all(spread(shown[labels == label]) <= 1 for label in range(len(counts)))


@given(problems())
@settings(max_examples=150, deadline=None)
def test_the_number_of_batches_is_the_smallest_for_which_a_fair_epoch_exists(
    problem: tuple[list[int], Pools | None, int],
) -> None:
    counts, pools, batch_size = problem
    sampler = balanced(shuffled_labels(counts, 0), pools, batch_size, 0)
    assert an_assignment_exists(sampler.batches * batch_size, sampler.targets.pools, counts)
    for fewer in range(1, sampler.batches):
        assert not an_assignment_exists(fewer * batch_size, sampler.targets.pools, counts)


def fair_batches(batch_size: int, pools: Pools) -> set[tuple[int, ...]]:
    """The class counts of every batch the contract allows, found by trying them all."""
    classes = sum(map(len, pools))
    return {
        counts
        for counts in product(range(batch_size + 1), repeat=classes)
        if sum(counts) == batch_size
        and spread([sum(counts[k] for k in pool) for pool in pools]) <= 1
        and all(spread([counts[k] for k in pool]) <= 1 for pool in pools)
    }


def fewest_batches(counts: Sequence[int], pools: Pools, batch_size: int) -> int:
    """The first epoch length that some choice of allowed batches fills by the contract's letter.

    Images of one class can always be shown equally often to within one, so only their sums matter.
    """
    allowed = fair_batches(batch_size, pools)
    reached = {(0,) * len(counts)}
    for batches in range(1, 1000):
        reached = {
            tuple(a + b for a, b in zip(total, batch, strict=True))
            for total in reached
            for batch in allowed
        }
        for total in reached:
            sums = [sum(total[k] for k in pool) for pool in pools]
            if (
                spread(sums) <= 1
                and all(spread([total[k] for k in pool]) <= 1 for pool in pools)
                and all(shown >= own for shown, own in zip(total, counts, strict=True))
            ):
                return batches
    raise AssertionError("no epoch was found")


def every_pooling(classes: int) -> list[Pools]:
    """Every way to put classes into pools, a pool's number by its first class."""
    if classes == 0:
        return [[]]
    poolings = []
    for smaller in every_pooling(classes - 1):
        poolings.append([*smaller, [classes - 1]])
        for k in range(len(smaller)):
            poolings.append([*smaller[:k], [*smaller[k], classes - 1], *smaller[k + 1 :]])
    return poolings


def test_no_epoch_is_longer_than_an_exhaustive_search_over_batches_finds() -> None:
    cases = 0
    for classes in (1, 2, 3):
        for counts in product((1, 2, 4), repeat=classes):
            for pools in every_pooling(classes):
                for batch_size in (1, 2, 3, 5):
                    sampler = balanced(shuffled_labels(counts, 0), pools, batch_size, 0)
                    assert sampler.batches == fewest_batches(counts, pools, batch_size)
                    cases += 1
    assert cases == 624


@given(st.lists(st.integers(1, 12), min_size=1, max_size=5))
def test_slots_needed_is_the_first_length_whose_fair_share_is_enough(needs: list[int]) -> None:
    enough = (
        slots
        for slots in range(1, 200)
        if any(
            all(own >= need for own, need in zip(shares, needs, strict=True))
            for shares in fair_shares(slots, len(needs))
        )
    )
    assert slots_needed(needs) == next(enough)


def test_extra_slots_rotate_over_epochs() -> None:
    labels = np.array([0, 1, 2])
    sampler = balanced(labels, None, 4, seed=3)
    favoured = {int(np.argmax(np.bincount(labels[sampler.order(epoch)]))) for epoch in range(40)}
    assert favoured == {0, 1, 2}


def test_the_order_is_a_function_of_seed_and_epoch_alone() -> None:
    labels = shuffled_labels([5, 9, 3], 0)
    sampler = balanced(labels, [[0, 2], [1]], 4, seed=7)
    forwards = [sampler.order(epoch).copy() for epoch in range(4)]
    again = balanced(labels, [[0, 2], [1]], 4, seed=7)
    for epoch in (2, 0, 3, 3, 1):
        np.testing.assert_array_equal(again.order(epoch), forwards[epoch])


def test_other_seeds_and_other_epochs_give_other_orders() -> None:
    labels = shuffled_labels([20, 20], 0)
    orders = [balanced(labels, None, 8, seed).order(e) for seed in (0, 1) for e in (0, 1)]
    for one, other in combinations(orders, 2):
        assert not np.array_equal(one, other)


def test_a_class_of_fewer_images_than_its_share_of_a_batch_repeats_them_evenly() -> None:
    labels = np.array([0] * 2 + [1] * 40)
    sampler = balanced(labels, None, 16, seed=0)
    for batch in sampler.order(0).reshape(-1, 16):
        shown = np.bincount(batch, minlength=42)[:2]
        assert shown.sum() == 8
        assert spread(shown) <= 2
    assert sampler.batches == 5
