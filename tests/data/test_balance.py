"""The epoch plan against the contract's letter, and against an independent search."""

from collections.abc import Sequence
from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kagglecxr.core.errors import CxrError, DataError, SettingError
from kagglecxr.data.balance import EpochPlan, slots_needed

Pools = list[list[int]]


@st.composite
def problems(draw: st.DrawFn, most: int = 9) -> tuple[list[int], Pools | None, int]:
    """How many images each class has, which classes make each target, and a batch size."""
    counts = draw(st.lists(st.integers(1, most), min_size=1, max_size=5))
    batch_size = draw(st.integers(1, 9))
    if draw(st.booleans()):
        return counts, None, batch_size
    classes = draw(st.permutations(range(len(counts))))
    cuts = [0, *sorted(draw(st.sets(st.integers(1, len(counts)), max_size=3))), len(counts)]
    pools = [list(classes[a:b]) for a, b in pairwise(cuts) if a < b]
    return counts, pools, batch_size


def shuffled_labels(counts: Sequence[int], seed: int) -> npt.NDArray[np.int64]:
    labels = np.repeat(np.arange(len(counts)), counts)
    return np.random.default_rng(seed).permutation(labels)


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
    plan = EpochPlan(labels, pools, batch_size, seed)
    order = plan.order(epoch)
    assert len(order) == plan.batches * batch_size
    for part in (*order.reshape(-1, batch_size), order):
        shown = np.bincount(labels[part], minlength=len(counts))
        inside = [[shown[label] for label in pool] for pool in plan.pools]
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
        EpochPlan(labels, pools, batch_size, seed).order(epoch), minlength=len(labels)
    )
    assert shown.min() >= 1
    assert all(spread(shown[labels == label]) <= 1 for label in range(len(counts)))


@given(problems())
@settings(max_examples=150, deadline=None)
def test_the_number_of_batches_is_the_smallest_for_which_a_fair_epoch_exists(
    problem: tuple[list[int], Pools | None, int],
) -> None:
    counts, pools, batch_size = problem
    plan = EpochPlan(shuffled_labels(counts, 0), pools, batch_size, 0)
    assert an_assignment_exists(plan.batches * batch_size, plan.pools, counts)
    for fewer in range(1, plan.batches):
        assert not an_assignment_exists(fewer * batch_size, plan.pools, counts)


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
    plan = EpochPlan(labels, None, 4, seed=3)
    favoured = {int(np.argmax(np.bincount(labels[plan.order(epoch)]))) for epoch in range(40)}
    assert favoured == {0, 1, 2}


def test_the_order_is_a_function_of_seed_and_epoch_alone() -> None:
    labels = shuffled_labels([5, 9, 3], 0)
    plan = EpochPlan(labels, [[0, 2], [1]], 4, seed=7)
    forwards = [plan.order(epoch).copy() for epoch in range(4)]
    again = EpochPlan(labels, [[0, 2], [1]], 4, seed=7)
    for epoch in (2, 0, 3, 3, 1):
        np.testing.assert_array_equal(again.order(epoch), forwards[epoch])


def test_other_seeds_and_other_epochs_give_other_orders() -> None:
    labels = shuffled_labels([20, 20], 0)
    orders = [EpochPlan(labels, None, 8, seed).order(e) for seed in (0, 1) for e in (0, 1)]
    for one, other in combinations(orders, 2):
        assert not np.array_equal(one, other)


def test_a_target_of_an_item_is_the_number_of_its_pool() -> None:
    labels = np.array([2, 0, 1, 2])
    plan = EpochPlan(labels, [[1], [2, 0]], 2, seed=0)
    assert plan.target_of_item(labels).tolist() == [1, 1, 0, 1]


@pytest.mark.parametrize("kind", [np.uint8, np.uint32, np.int8, np.int64])
def test_labels_may_be_integers_of_any_width_and_sign(kind: type[np.integer]) -> None:
    labels = np.array([0, 1, 1, 2], kind)
    assert EpochPlan(labels, None, 3, seed=0).batches == 2


@pytest.mark.parametrize(
    "labels",
    [np.array([0.0, 1.0]), np.array([0.0, np.nan]), np.array(["COVID", "Normal"])],
    ids=["float", "nan", "text"],
)
def test_labels_that_are_no_integers_are_refused(labels: npt.NDArray[np.integer]) -> None:
    with pytest.raises(CxrError, match="integer class ids"):
        EpochPlan(labels, None, 2, seed=0)


def test_a_class_without_images_is_refused_by_its_number() -> None:
    with pytest.raises(DataError, match="none for class 1"):
        EpochPlan(np.array([0, 2, 2]), None, 2, seed=0)
    with pytest.raises(DataError, match="none for class 5"):
        EpochPlan(np.array([0, 1]), [[0], [1, 5]], 2, seed=0)


def test_no_labels_at_all_are_refused() -> None:
    with pytest.raises(DataError, match="no images"):
        EpochPlan(np.array([], np.int64), None, 2, seed=0)


def test_a_class_twice_in_the_pools_is_refused() -> None:
    with pytest.raises(SettingError, match=r"\[\[0, 1\], \[1\]\]"):
        EpochPlan(np.array([0, 1]), [[0, 1], [1]], 2, seed=0)


def test_an_empty_pool_is_refused() -> None:
    with pytest.raises(SettingError, match="at least one class"):
        EpochPlan(np.array([0, 1]), [[0, 1], []], 2, seed=0)


def test_a_label_in_no_pool_is_refused() -> None:
    with pytest.raises(DataError, match="class 2"):
        EpochPlan(np.array([0, 1, 2]), [[0], [1]], 2, seed=0)
    with pytest.raises(DataError, match="class -1"):
        EpochPlan(np.array([-1, 0]), None, 2, seed=0)
