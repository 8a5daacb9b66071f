"""Which images are shown: the right ones, and no test image with its label."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kagglecxr.core.errors import DataError
from kagglecxr.reports.exploration.choice import (
    drawn_rows,
    extreme_images,
    labelled_duplicates,
)
from tests.reports.exploration.test_counts import CLASSES, make_index


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", ""]), st.integers(0, 255)), min_size=1, max_size=15
    )
)
def test_no_image_of_a_class_is_darker_than_its_darkest(images: list[tuple[str, int]]) -> None:
    index = make_index([{"label": a, "split": "train" if a else "test"} for a, _ in images])
    grey = np.array([value for _, value in images], np.float64)
    chosen = extreme_images(index, grey, CLASSES)
    for name in CLASSES:
        values = sorted(value for label, value in images if label == name)
        told = chosen[chosen["class"] == name].set_index("which")["mean_grey"]
        found = {part: v for which, v in told.items() for part in str(which).split(" and ")}
        if values:
            assert found == {
                "darkest": values[0],
                "median": values[(len(values) - 1) // 2],
                "brightest": values[-1],
            }
        else:
            assert not found
    assert chosen["id"].is_unique


def test_a_class_of_one_image_has_one_line() -> None:
    chosen = extreme_images(make_index([{"label": "a"}]), np.array([12.345]), CLASSES)
    assert chosen["which"].tolist() == ["darkest and median and brightest"]
    assert chosen["mean_grey"].tolist() == [12.35]


def draw(labels: str, count: int, seed: int = 0) -> npt.NDArray[np.intp]:
    index = make_index([{"label": label} for label in labels])
    return drawn_rows(index, index.rows("train"), count, np.random.default_rng(seed))


def test_every_class_is_drawn_before_any_is_drawn_twice() -> None:
    for seed in range(10):
        rows = draw("aaaaaaaabc", 4, seed)
        assert ["aaaaaaaabc"[row] for row in rows] == ["a", "a", "b", "c"]
        assert len(set(rows)) == 4


def test_fewer_images_than_wanted_are_all_drawn_and_none_is_none() -> None:
    assert sorted(draw("ab", 4)) == [0, 1]
    index = make_index([{"label": "a"}])
    nothing = np.array([], np.intp)
    assert drawn_rows(index, nothing, 4, np.random.default_rng(0)).tolist() == []


def test_one_seed_draws_the_same_and_others_differ() -> None:
    assert draw("a" * 50, 4).tolist() == draw("a" * 50, 4).tolist()
    assert len({tuple(draw("a" * 50, 4, seed)) for seed in range(5)}) > 1


def pairs(*lines: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(lines, columns=["first", "second", "correlation"]).assign(distance="0")


def test_pairs_with_two_labels_come_first_then_the_least_alike() -> None:
    index = make_index([{"label": label} for label in "aaab"] + [{"split": "test"}] * 2)
    told = pairs(("i0", "i1", "1.0"), ("i0", "i2", "0.99"), ("i2", "i3", "1.0"), ("i4", "i5", "1"))
    table = labelled_duplicates(told, index)
    assert table[["first", "second"]].to_numpy().tolist() == [
        ["i2", "i3"],
        ["i0", "i2"],
        ["i0", "i1"],
        ["i4", "i5"],
    ]
    assert table["split"].tolist() == ["train", "train", "train", "test"]
    assert table.iloc[-1][["first_label", "second_label"]].tolist() == ["", ""]


def test_no_pairs_are_an_empty_table() -> None:
    table = labelled_duplicates(pairs(), make_index([{"label": "a"}]))
    assert table.empty
    assert "first_label" in table


def test_pairs_that_do_not_fit_the_index_are_refused() -> None:
    index = make_index([{"label": "a"}])
    with pytest.raises(DataError, match="stranger"):
        labelled_duplicates(pairs(("i0", "stranger", "1.0")), index)
    with pytest.raises(DataError, match="correlation"):
        labelled_duplicates(pairs().drop(columns="correlation"), index)
