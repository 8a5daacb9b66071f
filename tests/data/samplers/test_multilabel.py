"""Every batch has each finding and an image without one; every image is shown in every epoch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kagglecxr.core.errors import DataError, SettingError
from kagglecxr.data.samplers.multilabel import Findings, MultiLabelSampler
from kagglecxr.data.sequences.sequence import BalancedSequence

TABLES = st.tuples(st.integers(1, 40), st.integers(1, 6)).flatmap(
    lambda shape: arrays.arrays(np.float32, shape, elements=st.sampled_from([0.0, 1.0, np.nan]))
)


def members_of(table: np.ndarray) -> np.ndarray:
    """(N, M) whether an image is of each finding that has images, or of none."""
    none = (table == 0).all(axis=1)
    if not none.any():
        none = ~(table == 1).any(axis=1)
    columns = np.column_stack([table == 1, none])
    return np.asarray(columns[:, columns.any(axis=0)])


@settings(deadline=None)
@given(TABLES, st.integers(1, 40), st.integers(0, 3), st.integers(0, 2))
def test_the_bounds_of_batches_and_epochs(
    table: np.ndarray, batch_size: int, seed: int, epoch: int
) -> None:
    sampler = MultiLabelSampler(Findings(table), batch_size, seed)
    order, members = sampler.order(epoch), members_of(table)
    assert set(order) == set(range(len(table)))
    assert len(order) == sampler.slots
    shown = members[order].reshape(sampler.batches, batch_size, -1)
    unclear = (~shown.any(axis=2)).sum(axis=1)
    images = int((~members.any(axis=1)).sum())
    assert unclear.sum() == images
    assert unclear.max() - unclear.min() <= 1
    most = -(-images // sampler.batches)
    assert (shown.sum(axis=1) >= (batch_size - most) // members.shape[1]).all()


@settings(deadline=None)
@given(TABLES, st.integers(1, 40), st.integers(0, 3))
def test_no_shorter_epoch_has_room_for_all(table: np.ndarray, batch_size: int, seed: int) -> None:
    findings = Findings(table)
    sampler = MultiLabelSampler(findings, batch_size, seed)
    needs = [max(1, len(images)) for images in findings.owed]
    needed = (max(needs) - 1) * len(needs) + needs.count(max(needs)) + len(findings.unclear)
    assert sampler.slots - batch_size < needed <= sampler.slots


@given(TABLES)
def test_an_image_is_owed_to_its_rarest_finding(table: np.ndarray) -> None:
    findings, members = Findings(table), members_of(table)
    sizes = members.sum(axis=0)
    owed = np.concatenate([*findings.owed, findings.unclear])
    assert sorted(owed.tolist()) == list(range(len(table)))
    for member, images in enumerate(findings.owed):
        for image in images:
            assert members[image, member]
            assert sizes[member] == sizes[members[image]].min()


def test_an_image_of_which_a_finding_is_not_known_is_none_without_a_finding() -> None:
    table = np.array([[1, 0], [0, 1], [0, 0], [np.nan, 0], [np.nan, 1]])
    findings = Findings(table)
    assert [images.tolist() for images in findings.positives] == [[0], [1, 4], [2]]
    assert findings.unclear.tolist() == [3]
    order = MultiLabelSampler(findings, 3, 0).order(0)
    assert (order == 3).sum() == 1


def test_where_none_is_known_to_have_no_finding_those_that_may_have_none_stand_for_it() -> None:
    findings = Findings(np.array([[1, 0], [0, np.nan], [np.nan, np.nan]]))
    assert [images.tolist() for images in findings.positives] == [[0], [1, 2]]
    assert not len(findings.unclear)


def test_a_label_that_is_ignored_reaches_the_loss_as_nan() -> None:
    table = np.array([[1, np.nan], [0, 1], [0, 0]])
    batches = BalancedSequence(np.arange(3, dtype=np.uint8).reshape(3, 1, 1), table, 6)
    for pixels, targets in (batches[n] for n in range(len(batches))):
        assert targets.dtype == np.float32
        np.testing.assert_array_equal(targets, table[pixels[:, 0, 0, 0]])


def test_a_finding_with_one_image_is_in_every_batch() -> None:
    table = np.zeros((50, 3), int)
    table[:20, 0], table[7, 1] = 1, 1
    images = np.zeros((50, 4, 4), np.uint8)
    batches = BalancedSequence(images, table, 8)
    # The third finding has no image, and makes no difference.
    for _, targets in (batches[n] for n in range(len(batches))):
        assert targets.shape == (8, 3)
        assert targets[:, 1].sum() >= 2
        assert (targets.sum(axis=1) == 0).sum() >= 2


def test_images_have_their_own_findings() -> None:
    random = np.random.default_rng(0)
    table = random.integers(0, 2, (30, 4))
    images = np.arange(30, dtype=np.uint8)[:, None, None] * np.ones((1, 2, 2), np.uint8)
    batches = BalancedSequence(images, table, 6, seed=3)
    for pixels, targets in (batches[n] for n in range(len(batches))):
        assert np.array_equal(targets, table[pixels[:, 0, 0, 0]])


def test_epochs_differ_and_repeat_with_their_seed() -> None:
    findings = Findings(np.random.default_rng(1).integers(0, 2, (60, 5)))
    one, again, other = (MultiLabelSampler(findings, 8, seed) for seed in (0, 0, 1))
    assert np.array_equal(one.order(2), again.order(2))
    assert not np.array_equal(one.order(2), one.order(3))
    assert not np.array_equal(one.order(2), other.order(2))


def test_over_the_epochs_all_images_of_a_frequent_finding_are_drawn() -> None:
    """Those with a rarer finding, too, though this one owes them no slot."""
    table = np.array([[1, 1]] * 30 + [[1, 0]] * 2 + [[0, 1]])
    sampler = MultiLabelSampler(Findings(table), 4, 0)
    assert len(sampler.order(0)) < 2 * 32 + 4
    shown = np.concatenate([sampler.order(epoch) for epoch in range(20)])
    counts = np.bincount(shown, minlength=33)
    assert counts[:30].min() >= 20


@pytest.mark.parametrize(
    "table", [np.array([[0, 2]]), np.array([[-1, 0]]), np.zeros((0, 3), int), np.array([1, 0])]
)
def test_what_is_no_table_of_findings_is_refused(table: np.ndarray) -> None:
    with pytest.raises(DataError, match="table of 0 and 1"):
        Findings(table)


def test_findings_have_no_pools() -> None:
    with pytest.raises(SettingError, match="pools or a rate"):
        BalancedSequence(np.zeros((2, 4, 4), np.uint8), np.eye(2, dtype=int), 2, pools=[[0], [1]])


def test_there_must_be_a_line_for_each_image() -> None:
    with pytest.raises(DataError, match="2 labels for 3"):
        BalancedSequence(np.zeros((3, 4, 4), np.uint8), np.eye(2, dtype=int), 2)
