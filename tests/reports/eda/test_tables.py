"""Tables of an index: what adds up, and what is never shown."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kagglecxr.core.errors import DataError
from kagglecxr.data.index import COLUMNS, Index
from kagglecxr.reports.eda.tables import (
    UNKNOWN,
    accuracy_from_fact,
    class_by_source,
    class_counts,
    extreme_images,
    image_sizes,
    labelled_duplicates,
    sample_rows,
)
from tests.conftest import PreparedDemo

CLASSES = ["a", "b"]


def make_index(lines: list[dict[str, str]]) -> Index:
    """An index with what matters to a test given and the rest filled in."""
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
    assert accuracy_from_fact(labels, labels, FOLD) == 1.0
    assert accuracy_from_fact(labels, [""] * 8, FOLD) == 0.75


def test_a_fact_that_the_other_folds_do_not_know_helps_nobody() -> None:
    labels = ["a", "a", "a", "a", "a", "a", "b", "b"]
    assert accuracy_from_fact(labels, list("12345678"), FOLD) == 0.75


def test_one_fold_alone_knows_nothing() -> None:
    assert accuracy_from_fact(["a", "b"], ["x", "y"], np.zeros(2, np.intp)) == 0.0


def test_the_demo_as_it_is(demo: PreparedDemo) -> None:
    index, classes = demo.prepared.index, demo.competition.classes.names
    counts = class_counts(index, classes)
    train = index.table[index.table["split"] == "train"]
    expected = counts[counts["split"] == "train"].set_index("class")["images"]
    assert expected.to_dict() == train["label"].value_counts().to_dict()
    assert set(class_by_source(index, classes)["source"]) == set(train["source"])


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
        means = chosen[chosen["class"] == name].set_index("which")["mean_grey"]
        found = {part: v for which, v in means.items() for part in str(which).split(" and ")}
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
    return sample_rows(index, index.rows("train"), count, np.random.default_rng(seed))


def test_every_class_is_drawn_before_any_is_drawn_twice() -> None:
    for seed in range(10):
        rows = draw("aaaaaaaabc", 4, seed)
        assert ["aaaaaaaabc"[row] for row in rows] == ["a", "a", "b", "c"]
        assert len(set(rows)) == 4


def test_fewer_images_than_wanted_are_all_drawn_and_none_is_none() -> None:
    assert sorted(draw("ab", 4)) == [0, 1]
    index = make_index([{"label": "a"}])
    nothing = np.array([], np.intp)
    assert sample_rows(index, nothing, 4, np.random.default_rng(0)).tolist() == []


def test_one_seed_draws_the_same_and_others_differ() -> None:
    assert draw("a" * 50, 4).tolist() == draw("a" * 50, 4).tolist()
    assert len({tuple(draw("a" * 50, 4, seed)) for seed in range(5)}) > 1


def pairs(*lines: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(lines, columns=["first", "second", "correlation"]).assign(distance="0")


def test_pairs_with_two_labels_come_first_then_the_least_alike() -> None:
    index = make_index([{"label": label} for label in "aaab"] + [{"split": "test"}] * 2)
    duplicates = pairs(
        ("i0", "i1", "1.0"), ("i0", "i2", "0.99"), ("i2", "i3", "1.0"), ("i4", "i5", "1")
    )
    table = labelled_duplicates(duplicates, index)
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
