"""Tables of an index: what adds up, and what is never told."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kagglecxr.core.errors import DataError
from kagglecxr.data.index import COLUMNS, Index
from kagglecxr.reports.exploration.counts import (
    UNKNOWN,
    class_by_source,
    class_counts,
    guessed_right,
    image_sizes,
)
from tests.conftest import Played

CLASSES = ["a", "b"]


def make_index(lines: list[dict[str, str]]) -> Index:
    """An index with what matters to a test told and the rest filled in."""
    rest = {"split": "train", "source": "", "mask": "", "width": "20", "height": "10"}
    rows = []
    for number, line in enumerate(lines):
        name = f"i{number}"
        own = {"id": name, "path": f"{name}.png", "group": name, "phash": "0"}
        rows.append({**own, **rest, "label": "", **line})
    return Index(pd.DataFrame(rows, columns=COLUMNS))


@st.composite
def indexes(draw: st.DrawFn) -> Index:
    train = st.fixed_dictionaries(
        {
            "label": st.sampled_from(CLASSES),
            "source": st.sampled_from(["", "x", "y"]),
            "mask": st.sampled_from(["", "m.png"]),
            "width": st.sampled_from(["10", "20"]),
        }
    )
    test = st.fixed_dictionaries({"split": st.just("test"), "source": st.sampled_from(["", "x"])})
    lines = draw(st.lists(train, min_size=1, max_size=12)) + draw(st.lists(test, max_size=5))
    return make_index(lines)


@settings(deadline=None, max_examples=50)
@given(indexes())
def test_counts_sum_to_the_images_and_shares_to_one(index: Index) -> None:
    counts = class_counts(index, CLASSES)
    assert counts["images"].sum() == len(index.table)
    assert counts["masks"].sum() == (index.table["mask"] != "").sum()
    shares = counts.groupby("split")["share"].sum()
    np.testing.assert_allclose(shares, 1.0)
    sizes = image_sizes(index)
    assert sizes["images"].sum() == len(index.table)
    sources = class_by_source(index, CLASSES)
    if len(sources):
        assert sources["images"].sum() == len(index.rows("train"))
        np.testing.assert_allclose(sources.groupby("class")["share"].sum(), 1.0)


@settings(deadline=None, max_examples=50)
@given(indexes())
def test_the_test_part_is_one_line_without_a_class(index: Index) -> None:
    counts = class_counts(index, CLASSES)
    lines = counts[counts["split"] == "test"]
    assert len(lines) == int(len(index.rows("test")) > 0)
    assert set(lines["class"]) <= {""}
    sizes = image_sizes(index)
    assert set(sizes.loc[sizes["split"] == "test", "class"]) <= {""}


def test_counts_by_hand() -> None:
    index = make_index(
        [
            {"label": "b", "group": "p", "mask": "m"},
            {"label": "b", "group": "p"},
            {"label": "a"},
            {"split": "test"},
        ]
    )
    assert class_counts(index, CLASSES).to_numpy().tolist() == [
        ["train", "a", 1, pytest.approx(1 / 3), 1, 0],
        ["train", "b", 2, pytest.approx(2 / 3), 1, 1],
        ["test", "", 1, 1.0, 1, 0],
    ]


def test_a_class_may_have_no_images() -> None:
    counts = class_counts(make_index([{"label": "a"}]), CLASSES)
    assert counts["images"].tolist() == [1, 0]
    assert class_by_source(make_index([{"label": "a", "source": "x"}]), CLASSES)[
        "class"
    ].tolist() == ["a"]


def test_sources_by_hand_the_largest_first_and_the_unnamed_by_a_name() -> None:
    lines = [{"label": "a", "source": of} for of in ("x", "y", "y", "")]
    lines += [{"label": "b", "source": "x"}, {"split": "test", "source": "z"}]
    assert class_by_source(make_index(lines), CLASSES).to_numpy().tolist() == [
        ["a", "y", 2, 0.5],
        ["a", UNKNOWN, 1, 0.25],
        ["a", "x", 1, 0.25],
        ["b", "x", 1, 1.0],
    ]


def test_without_any_source_there_is_nothing_to_tell() -> None:
    assert class_by_source(make_index([{"label": "a"}]), CLASSES).empty


def test_sizes_by_hand() -> None:
    wide = {"width": "100", "height": "9"}
    lines = [{"label": "a"}, {"label": "a", **wide}, {"label": "a", **wide}, {"split": "test"}]
    assert image_sizes(make_index(lines)).to_numpy().tolist() == [
        ["train", "a", 100, 9, 2],
        ["train", "a", 20, 10, 1],
        ["test", "", 20, 10, 1],
    ]


def test_a_size_that_is_no_number_is_named() -> None:
    with pytest.raises(DataError, match="i1"):
        image_sizes(make_index([{"label": "a"}, {"label": "a", "width": ""}]))


FOLD: npt.NDArray[np.intp] = np.array([0, 1] * 4)


def test_a_fact_that_tells_the_class_guesses_all() -> None:
    labels = ["a", "a", "a", "a", "a", "a", "b", "b"]
    assert guessed_right(labels, labels, FOLD) == 1.0
    assert guessed_right(labels, [""] * 8, FOLD) == 0.75


def test_a_fact_that_the_other_folds_do_not_know_helps_nobody() -> None:
    labels = ["a", "a", "a", "a", "a", "a", "b", "b"]
    assert guessed_right(labels, list("12345678"), FOLD) == 0.75


def test_one_fold_alone_knows_nothing() -> None:
    assert guessed_right(["a", "b"], ["x", "y"], np.zeros(2, np.intp)) == 0.0


def test_the_demo_as_it_is(demo: Played) -> None:
    index, classes = demo.prepared.index, demo.competition.classes.names
    counts = class_counts(index, classes)
    train = index.table[index.table["split"] == "train"]
    told = counts[counts["split"] == "train"].set_index("class")["images"]
    assert told.to_dict() == train["label"].value_counts().to_dict()
    assert set(class_by_source(index, classes)["source"]) == set(train["source"])
