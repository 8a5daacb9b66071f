"""Groups stay whole, and each part has its share of every finding, nearer than others' folds."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold

from kagglecxr.data.stratification import stratify_groups

FOLDS = 5


def drawn_table(seed: int, images: int, findings: int) -> tuple[np.ndarray, np.ndarray]:
    """Rare and frequent findings that the images of a patient have in common, and patients."""
    random = np.random.default_rng(seed)
    groups = max(2 * FOLDS, images // 3)
    group = random.integers(0, groups, images)
    rate = random.beta(0.6, 6, findings)
    of_patient = random.normal(size=(groups, findings))[group]
    chance = 1 / (1 + np.exp(-(np.log(rate / (1 - rate)) + of_patient)))
    return (random.random((images, findings)) < chance).astype(np.int64), group


def divide(table: np.ndarray, group: np.ndarray, ratios: list[float], seed: int = 0) -> np.ndarray:
    names = [f"patient {number}" for number in group]
    columns = np.column_stack([table, table.sum(axis=1) == 0])
    return stratify_groups(columns, names, ratios, np.random.default_rng(seed))


def worst(table: np.ndarray, part: np.ndarray) -> float:
    """The largest difference of a finding's share between two folds, of those with five images."""
    total = table.sum(axis=0)
    counts = np.array([table[part == number].sum(axis=0) for number in range(FOLDS)])
    shares = counts[:, total >= FOLDS] / total[total >= FOLDS]
    return float((shares.max(axis=0) - shares.min(axis=0)).max(initial=0))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 300), st.integers(1, 12), st.integers(2, 6))
def test_groups_stay_whole(seed: int, images: int, findings: int, parts: int) -> None:
    table, group = drawn_table(seed, images, findings)
    part = divide(table, group, [1 / parts] * parts)
    assert part.shape == (images,)
    assert set(part) <= set(range(parts))
    for number in np.unique(group):
        assert len(set(part[group == number])) == 1


@pytest.mark.parametrize("images", [200, 900])
def test_shares_differ_less_than_those_of_group_folds(images: int) -> None:
    ours, theirs = [], []
    for seed in range(25):
        table, group = drawn_table(seed, images, 8)
        ours.append(worst(table, divide(table, group, [1 / FOLDS] * FOLDS)))
        folds = np.empty(images, int)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for number, (_, held_out) in enumerate(GroupKFold(FOLDS).split(table, None, group)):
                folds[held_out] = number
        theirs.append(worst(table, folds))
    assert all(one <= other for one, other in zip(ours, theirs, strict=True))
    assert np.mean(ours) < np.mean(theirs) / 2


def test_single_images_differ_by_one() -> None:
    """Of one finding an image, and a group an image, no share differs by more than an image."""
    random = np.random.default_rng(0)
    label = np.concatenate([np.repeat([0, 1, 2], [50, 23, 7]), random.integers(0, 3, 40)])
    table = np.eye(3, dtype=int)[label]
    part = divide(table, np.arange(len(label)), [1 / FOLDS] * FOLDS)
    counts = np.array([table[part == number].sum(axis=0) for number in range(FOLDS)])
    assert (counts.max(axis=0) - counts.min(axis=0) <= 1).all()
    sizes = np.bincount(part)
    assert sizes.max() - sizes.min() <= 1


def test_a_part_of_a_fifth_has_a_fifth_of_everything() -> None:
    table, group = drawn_table(3, 1500, 6)
    part = divide(table, group, [0.2, 0.8])
    shares = table[part == 0].sum(axis=0) / table.sum(axis=0)
    assert np.abs(shares - 0.2).max() < 0.02
    assert abs((part == 0).mean() - 0.2) < 0.01


def test_a_finding_with_one_image_is_no_crash() -> None:
    table = np.zeros((20, 3), int)
    table[4, 1] = 1
    sizes = np.bincount(divide(table, np.arange(20), [1 / FOLDS] * FOLDS))
    assert sizes.tolist() == [4] * 5


def test_seeds_differ_and_repeat() -> None:
    table, group = drawn_table(1, 300, 5)
    one, again, other = (divide(table, group, [0.5, 0.5], seed) for seed in (0, 0, 1))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
