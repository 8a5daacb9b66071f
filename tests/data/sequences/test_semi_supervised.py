"""Images without a label take a fixed share of each batch; the labelled stay as balanced."""

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kagglecxr.core.errors import DataError, SettingError
from kagglecxr.data.samplers.balanced import BalancedSampler
from kagglecxr.data.samplers.epoch_sampler import Targets
from kagglecxr.data.samplers.sampling import make_sampler
from kagglecxr.data.sequences import semi_supervised
from kagglecxr.data.sequences.semi_supervised import (
    PseudoLabelledImages,
    SemiSupervisedSequence,
    UnlabelledSampler,
    unlabelled_per_batch,
)
from kagglecxr.data.sequences.sequence import SampledSequence

LABELS = np.array([0, 0, 0, 0, 1, 2, 2])
SEES = np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.0, 0.0, 1.0]], np.float32)


def numbered(count: int) -> np.ndarray:
    """Images whose grey is their row's number."""
    return np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None], (count, 4, 4))


def shared(sampling: str = "balanced", seed: int = 0, **options: object) -> SemiSupervisedSequence:
    sampler = make_sampler(sampling, LABELS, None, 6, seed)  # type: ignore[arg-type]
    unlabelled = PseudoLabelledImages(np.array([7, 8, 9]), SEES)
    return SemiSupervisedSequence(
        numbered(10), sampler, unlabelled, 2, rows=np.arange(7), **options
    )  # type: ignore[arg-type]


@given(st.integers(1, 9), st.integers(1, 7), st.integers(1, 12), st.integers(0))
def test_unlabelled_images_never_differ_by_more_than_one_in_their_counts(
    images: int, per_batch: int, batches: int, seed: int
) -> None:
    sampler = UnlabelledSampler(images, per_batch, seed)
    counts = np.zeros(images, int)
    for batch in range(batches):
        items = sampler.items(batch)
        assert len(items) == per_batch
        for item in items:
            counts[item] += 1
            assert np.ptp(counts) <= 1


@given(st.integers(1, 9), st.integers(1, 7), st.integers(0, 30))
def test_unlabelled_images_depend_on_the_batch_alone(
    images: int, per_batch: int, batch: int
) -> None:
    used = UnlabelledSampler(images, per_batch, 3)
    for other in range(6):
        used.items(5 - other)
    fresh = UnlabelledSampler(images, per_batch, 3).items(batch)
    np.testing.assert_array_equal(used.items(batch), fresh)


@given(st.integers(2, 500), st.floats(0, 1))
def test_both_kinds_of_images_have_a_part_of_each_batch(batch_size: int, share: float) -> None:
    with patch.object(semi_supervised, "UNLABELLED_SHARE", share):
        per_batch = unlabelled_per_batch(batch_size)
    assert 1 <= per_batch < batch_size
    assert abs(per_batch - share * batch_size) <= 1


@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=4),
    st.integers(1, 5),
    st.integers(1, 4),
    st.integers(0, 3),
)
def test_the_labelled_images_are_those_of_the_sampler_alone(
    counts: list[int], batch_size: int, per_batch: int, epoch: int
) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    images = numbered(len(labels) + 2)
    sampler = BalancedSampler(Targets(labels, None), batch_size, 5)
    sees = np.full((2, len(counts)), 1 / len(counts), np.float32)
    unlabelled = PseudoLabelledImages(np.array([len(labels), len(labels) + 1]), sees)
    rows = np.arange(len(labels))
    both = SemiSupervisedSequence(images, sampler, unlabelled, per_batch, rows=rows)
    alone = SampledSequence(images, sampler, rows=rows)
    both.epoch = alone.epoch = epoch
    assert len(both) == len(alone)
    for number in range(len(both)):
        x, y = both[number]
        assert len(x) == len(y) == batch_size + per_batch
        np.testing.assert_array_equal(x[:batch_size], alone[number][0])
        np.testing.assert_array_equal(y[:batch_size], alone[number][1])
        assert set(x[batch_size:, 0, 0, 0].tolist()) <= set(unlabelled.rows.tolist())


def test_images_without_a_label_bring_what_a_model_sees_in_them() -> None:
    batches = shared()
    for number in range(len(batches)):
        x, y = batches[number]
        for image, target in zip(x[6:, 0, 0, 0], y[6:], strict=True):
            np.testing.assert_array_equal(target, SEES[int(image) - 7])


def test_a_batch_is_the_same_in_any_order_of_access() -> None:
    one, other = shared(), shared()
    wanted = [one[number] for number in range(len(one))]
    for number in reversed(range(len(other))):
        for mine, theirs in zip(wanted[number], other[number], strict=True):
            np.testing.assert_array_equal(mine, theirs)
    one.on_epoch_end()
    assert any((one[n][0] != wanted[n][0]).any() for n in range(len(one)))


def test_turns_go_on_from_epoch_to_epoch() -> None:
    batches = shared(steps=1)
    shown = []
    for _ in range(3):
        shown += batches[0][0][6:, 0, 0, 0].tolist()
        batches.on_epoch_end()
    assert sorted(shown) == [7, 7, 8, 8, 9, 9]


def test_another_seed_gives_another_order() -> None:
    orders = {tuple(UnlabelledSampler(20, 20, seed).items(0).tolist()) for seed in range(5)}
    assert len(orders) == 5


def test_both_kinds_are_changed_by_one_transform() -> None:
    seen: list[int] = []

    def count(
        x: np.ndarray, y: np.ndarray, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        seen.append(len(x))
        return x, y

    assert len(shared(transform=count)[0][0]) == 8
    assert seen == [8]


def test_an_image_without_a_label_weighs_as_much_as_the_mean_of_the_others() -> None:
    _, _, weights = shared("class_weights")[0]
    assert weights.dtype == np.float32
    assert len(weights) == 8
    assert weights[6:].tolist() == [1.0, 1.0]
    assert set(weights[:6].tolist()) != {1.0}


def test_a_batch_of_one_cannot_be_shared() -> None:
    with pytest.raises(SettingError, match="batch_size=1"):
        unlabelled_per_batch(1)


@pytest.mark.parametrize("rows", [[], [1, 2]])
def test_images_without_targets_are_refused(rows: list[int]) -> None:
    with pytest.raises(DataError, match=f"{len(rows)} images and 1 rows"):
        PseudoLabelledImages(np.array(rows, np.intp), SEES[:1])


def test_targets_of_another_competition_are_refused() -> None:
    sampler = make_sampler("balanced", np.array([0, 1]), None, 2, 0)
    with pytest.raises(DataError, match=r"\(3, 3\), and 2 targets"):
        SemiSupervisedSequence(
            numbered(5), sampler, PseudoLabelledImages(np.arange(3), SEES), 1, rows=np.arange(2)
        )
