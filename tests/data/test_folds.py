"""Splits never part a group, reach every class, and are fixed by their seed."""

from importlib.metadata import version

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from packaging.version import Version
from sklearn.model_selection import StratifiedGroupKFold

from kagglecxr.core.errors import DataError, LeakError, SettingError
from kagglecxr.data.folds import assert_disjoint, hold_out, make_folds

Columns = tuple[list[str], list[str], list[str]]


@st.composite
def tables(draw: st.DrawFn, fewest_groups: int) -> Columns:
    """Labels, groups and sources of images, each class with enough groups of its own."""
    rows = []
    for label in ("A", "B", "C")[: draw(st.integers(1, 3))]:
        for number in range(draw(st.integers(fewest_groups, fewest_groups + 6))):
            source = draw(st.sampled_from(["", "east", "west"]))
            images = draw(st.integers(1, 4))
            rows += [(label, f"{label}{number}", source)] * images
    rows = draw(st.permutations(rows))
    return [list(column) for column in zip(*rows, strict=True)]  # type: ignore[return-value]


def parts_of_groups(groups: list[str], part: np.ndarray) -> list[set[int]]:
    return [{int(p) for g, p in zip(groups, part, strict=True) if g == name} for name in groups]


@given(st.data(), st.integers(2, 5), st.integers(0, 2**31 - 1))
@settings(max_examples=60, deadline=None)
def test_folds_are_whole_groups_and_every_fold_is_used(
    data: st.DataObject, folds: int, seed: int
) -> None:
    labels, groups, sources = data.draw(tables(folds))
    fold = make_folds(labels, groups, sources, folds, seed)
    assert fold.shape == (len(labels),)
    assert set(fold.tolist()) == set(range(folds))
    assert all(len(parts) == 1 for parts in parts_of_groups(groups, fold))


@given(st.data(), st.sampled_from([0.1, 0.2, 0.25, 0.3, 0.5]), st.integers(0, 2**31 - 1))
@settings(max_examples=40, deadline=None)
def test_a_held_out_part_is_whole_groups_and_leaves_something_on_both_sides(
    data: st.DataObject, share: float, seed: int
) -> None:
    labels, groups, sources = data.draw(tables(10))
    held_out = hold_out(labels, groups, sources, share, seed)
    assert held_out.dtype == np.bool_
    assert 0 < held_out.sum() < len(labels)
    assert all(len(parts) == 1 for parts in parts_of_groups(groups, held_out))


def test_folds_are_the_same_on_every_machine() -> None:
    """As they were made with scikit-learn 1.6.1 and 1.9.1, whose own shuffling differs."""
    labels = ["a"] * 24 + ["b"] * 12
    groups = [f"{label}{number // 2}" for number, label in enumerate(labels)]
    fold = make_folds(labels, groups, [""] * 36, 3, 0)
    assert "".join(map(str, fold)) == "110022221111220000221100112211000022"


@given(st.data(), st.integers(2, 5), st.integers(0, 2**31 - 1))
@settings(max_examples=30, deadline=None)
def test_folds_are_those_of_a_library_that_shuffles_groups(
    data: st.DataObject, folds: int, seed: int
) -> None:
    if Version(version("scikit-learn")) < Version("1.8"):
        pytest.skip("scikit-learn before 1.8 shuffles labels and not groups")
    labels, groups, _ = data.draw(tables(folds))
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    fold = make_folds(labels, groups, [""] * len(labels), folds, seed)
    for number, (_, held_out) in enumerate(splitter.split(labels, labels, groups)):
        assert set(np.flatnonzero(fold == number)) == set(held_out)


def big_table(patients: int = 300) -> Columns:
    """Patients of two images each, three classes, one patient in ten from a rare source."""
    labels, groups, sources = [], [], []
    for patient in range(patients):
        share = patient / patients
        label = "ABC"[0 if share < 0.6 else 1 if share < 13 / 15 else 2]
        source = "rare" if patient % 10 == 0 else "main"
        labels += [label] * 2
        groups += [f"p{patient}"] * 2
        sources += [source] * 2
    return labels, groups, sources


def test_folds_hold_each_class_and_source_in_its_share() -> None:
    labels, groups, sources = big_table()
    fold = make_folds(labels, groups, sources, 5, seed=0)
    for column in (labels, sources):
        for name in set(column):
            chosen = np.array(column) == name
            shares = np.bincount(fold[chosen], minlength=5) / chosen.sum()
            np.testing.assert_allclose(shares, 0.2, atol=0.06)


@pytest.mark.parametrize("share", [0.05, 0.1, 0.2, 0.25, 0.3, 1 / 3, 0.5])
def test_a_held_out_part_has_about_its_share_of_every_class(share: float) -> None:
    labels, groups, sources = big_table()
    held_out = hold_out(labels, groups, sources, share, seed=1)
    for name in "ABC":
        chosen = np.array(labels) == name
        assert held_out[chosen].mean() == pytest.approx(share, abs=0.04)


@pytest.mark.parametrize("share", [0.2, 0.3])
@given(st.integers(0, 2**31 - 1))
@settings(max_examples=5, deadline=None)
def test_a_share_is_met_on_unbalanced_labels_and_patients_of_unequal_size(
    share: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    images = [(label, f"{label}{k}") for label, n in (("A", 400), ("B", 100), ("C", 40))
              for k in range(n) for _ in range(random.integers(1, 6))]  # fmt: skip
    labels, groups = (list(column) for column in zip(*images, strict=True))
    held_out = hold_out(labels, groups, [""] * len(labels), share, seed)
    assert held_out.mean() == pytest.approx(share, abs=0.02)
    for name in "ABC":
        assert held_out[np.array(labels) == name].mean() == pytest.approx(share, abs=0.05)


@given(st.integers(0, 2**31 - 1))
@settings(max_examples=5, deadline=None)
def test_splits_are_fixed_by_their_seed_and_change_with_it(seed: int) -> None:
    table = big_table(60)
    np.testing.assert_array_equal(make_folds(*table, 3, seed), make_folds(*table, 3, seed))
    np.testing.assert_array_equal(hold_out(*table, 0.2, seed), hold_out(*table, 0.2, seed))
    assume(seed < 2**31 - 1)
    assert not np.array_equal(make_folds(*table, 3, seed), make_folds(*table, 3, seed + 1))


def test_a_source_with_too_few_images_for_every_fold_does_not_stop_the_split() -> None:
    labels, groups, sources = big_table()
    sources[0] = "unique"
    fold = make_folds(labels, groups, sources, 5, seed=0)
    assert fold[0] == fold[1]


def test_a_class_with_fewer_groups_than_folds_is_refused_by_name() -> None:
    labels = ["A"] * 6 + ["B"] * 6
    groups = [f"a{i}" for i in range(6)] + ["b0", "b0", "b0", "b1", "b1", "b1"]
    with pytest.raises(DataError, match=r"'B' with 2 groups for 3 folds"):
        make_folds(labels, groups, [""] * 12, 3, seed=0)


@pytest.mark.parametrize("folds", [1, 0, -2])
def test_fewer_than_two_folds_are_refused(folds: int) -> None:
    with pytest.raises(SettingError, match=f"Received: {folds}"):
        make_folds(["A", "A"], ["1", "2"], ["", ""], folds, seed=0)


@pytest.mark.parametrize("share", [0.0, -0.1, 0.51, 1.0, float("nan")])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(SettingError, match=f"Received: {share}"):
        hold_out(*big_table(), share, seed=0)


def test_parts_that_share_a_group_are_refused_with_the_parts_and_the_group() -> None:
    with pytest.raises(LeakError, match=r"both validation and test.*1 such groups, p7"):
        assert_disjoint({"train": ["p1"], "validation": ["p2", "p7"], "test": ["p7", "p8"]})


def test_parts_without_a_common_group_pass() -> None:
    assert_disjoint({"train": ["p1", "p1"], "validation": ["p2"], "test": []})
