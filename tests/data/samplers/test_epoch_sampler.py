"""Targets are what labels and pools say, and what they cannot say is refused."""

import numpy as np
import numpy.typing as npt
import pytest

from kagglecxr.core.errors import CxrError, DataError, SettingError
from kagglecxr.data.samplers.balanced import BalancedSampler
from kagglecxr.data.samplers.epoch_sampler import Targets, shuffled_passes


def test_a_target_of_an_item_is_the_number_of_its_pool() -> None:
    labels = np.array([2, 0, 1, 2])
    targets = Targets(labels, [[1], [2, 0]])
    assert targets.of_item.tolist() == [1, 1, 0, 1]


@pytest.mark.parametrize("kind", [np.uint8, np.uint32, np.int8, np.int64])
def test_labels_may_be_integers_of_any_width_and_sign(kind: type[np.integer]) -> None:
    labels = np.array([0, 1, 1, 2], kind)
    assert Targets(labels, None).of_item.tolist() == [0, 1, 1, 2]


@pytest.mark.parametrize(
    "labels",
    [np.array([0.0, 1.0]), np.array([0.0, np.nan]), np.array(["COVID", "Normal"])],
    ids=["float", "nan", "text"],
)
def test_labels_that_are_no_integers_are_refused(labels: npt.NDArray[np.integer]) -> None:
    with pytest.raises(CxrError, match="integer class ids"):
        Targets(labels, None)


def test_a_class_without_images_is_refused_by_its_number() -> None:
    with pytest.raises(DataError, match="none for class 1"):
        Targets(np.array([0, 2, 2]), None)
    with pytest.raises(DataError, match="none for class 5"):
        Targets(np.array([0, 1]), [[0], [1, 5]])


def test_no_labels_at_all_are_refused() -> None:
    with pytest.raises(DataError, match="no images"):
        Targets(np.array([], np.int64), None)


def test_a_class_twice_in_the_pools_is_refused() -> None:
    with pytest.raises(SettingError, match=r"\[\[0, 1\], \[1\]\]"):
        Targets(np.array([0, 1]), [[0, 1], [1]])


def test_an_empty_pool_is_refused() -> None:
    with pytest.raises(SettingError, match="at least one class"):
        Targets(np.array([0, 1]), [[0, 1], []])


def test_a_label_in_no_pool_is_refused() -> None:
    with pytest.raises(DataError, match="class 2"):
        Targets(np.array([0, 1, 2]), [[0], [1]])
    with pytest.raises(DataError, match="class -1"):
        Targets(np.array([-1, 0]), None)


def test_labels_of_two_dimensions_are_refused() -> None:
    with pytest.raises(DataError, match="shape \\(2, 1\\)"):
        Targets(np.zeros((2, 1), int), None)


def test_a_stray_label_of_a_billion_is_refused_at_once() -> None:
    with pytest.raises(DataError, match="none for class 2"):
        Targets(np.array([0, 1, 10**9]), None)


def test_targets_know_the_images_of_their_classes() -> None:
    targets = Targets(np.array([2, 0, 1, 2]), [[1], [2, 0]])
    assert [[rows.tolist() for rows in own] for own in targets.members] == [[[2]], [[0, 3], [1]]]
    assert targets.class_counts == [[1], [2, 1]]
    assert len(targets) == 2


@pytest.mark.parametrize("batch_size", [0, -3, 2.5])
def test_a_batch_size_that_is_no_count_is_refused(batch_size: int) -> None:
    with pytest.raises(SettingError, match=f"batch_size={batch_size}"):
        BalancedSampler(Targets(np.array([0, 1]), None), batch_size, 0)


def test_a_seed_below_zero_is_refused() -> None:
    with pytest.raises(SettingError, match="seed=-1"):
        BalancedSampler(Targets(np.array([0, 1]), None), 2, -1)


def test_shuffled_rounds_show_all_before_any_again() -> None:
    images = np.array([4, 7, 9])
    rounds = shuffled_passes(images, 8, np.random.default_rng(0))
    assert sorted(rounds[:3]) == sorted(rounds[3:6]) == images.tolist()
    assert len(set(rounds[6:])) == 2
