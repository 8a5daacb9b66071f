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
    lambda shape: arrays.arrays(np.int64, shape, elements=st.integers(0, 1))
)


def members_of(table: np.ndarray) -> np.ndarray:
    """(N, M) whether an image is of each finding that has images, or of none."""
    columns = np.column_stack([table, table.sum(axis=1) == 0]).astype(bool)
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
    batches = members[order].reshape(sampler.batches, batch_size, -1).sum(axis=1)
    assert (batches >= batch_size // members.shape[1]).all()


@settings(deadline=None)
@given(TABLES, st.integers(1, 40), st.integers(0, 3))
def test_no_shorter_epoch_has_room_for_all(table: np.ndarray, batch_size: int, seed: int) -> None:
    findings = Findings(table)
    sampler = MultiLabelSampler(findings, batch_size, seed)
    needs = [max(1, len(images)) for images in findings.owed]
    needed = (max(needs) - 1) * len(needs) + needs.count(max(needs))
    assert sampler.slots - batch_size < needed <= sampler.slots


@given(TABLES)
def test_an_image_is_owed_to_its_rarest_finding(table: np.ndarray) -> None:
    findings, members = Findings(table), members_of(table)
    sizes = members.sum(axis=0)
    assert sorted(np.concatenate(findings.owed).tolist()) == list(range(len(table)))
    for member, images in enumerate(findings.owed):
        for image in images:
            assert members[image, member]
            assert sizes[member] == sizes[members[image]].min()


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
