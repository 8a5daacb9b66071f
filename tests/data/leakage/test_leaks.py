"""What leaks is left out of training and nothing else is; the report says so in words."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from kagglecxr.data.folds import assert_disjoint
from kagglecxr.data.leakage.duplicates import joined_groups
from kagglecxr.data.leakage.leak_report import SHOWN, leak_report, left_out_sentence
from kagglecxr.data.leakage.leaks import (
    CONFLICT,
    LEFT_OUT,
    TEST_COPY,
    TEST_GROUP,
    Leaks,
    find_leaks,
    training_images_to_leave_out,
)

Row = tuple[str, str, str, str]


def table(rows: list[Row]) -> pd.DataFrame:
    """Images by id, label, split and known group; the source is the id's first letter."""
    found = pd.DataFrame(rows, columns=["id", "label", "split", "group"], dtype=object)
    return found.assign(path=found["id"] + ".png", source=found["id"].str[0])


def pairs_of(*links: tuple[str, str], correlation: float = 0.995) -> pd.DataFrame:
    rows = [(first, second, 2, correlation) for first, second in links]
    return pd.DataFrame(rows, columns=["first", "second", "distance", "correlation"])


def joined(found: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    groups = joined_groups(list(found["id"]), list(found["group"]), pairs)
    return found.assign(group=groups)


def left_out(found: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    return training_images_to_leave_out(joined(found, pairs), pairs)


def leaks_of(found: pd.DataFrame, pairs: pd.DataFrame, exact: list[bool]) -> Leaks:
    return find_leaks(joined(found, pairs), list(found["group"]), pairs, np.array(exact, np.bool_))


@st.composite
def collections(draw: st.DrawFn) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Images of any labels, splits and patients, some of them copies of others."""
    count = draw(st.integers(1, 14))
    rows = [
        (
            f"i{k}",
            draw(st.sampled_from("xyz")),
            draw(st.sampled_from(["train", "train", "test"])),
            draw(st.sampled_from(["", "", "p1", "p2", "p3"])),
        )
        for k in range(count)
    ]
    one = st.integers(0, count - 1)
    links = draw(st.sets(st.tuples(one, one).filter(lambda ij: ij[0] < ij[1]), max_size=8))
    return table(rows), pairs_of(*((f"i{i}", f"i{j}") for i, j in sorted(links)))


def reached(start: str, links: set[tuple[str, str]]) -> set[str]:
    """All images that a chain of links leads to."""
    seen, new = set[str](), {start}
    while new:
        seen |= new
        new = {b for a, b in links | {(b, a) for a, b in links} if a in new} - seen
    return seen


@given(collections())
@settings(deadline=None)
def test_what_is_left_out_is_what_a_walk_along_the_links_says_and_the_rest_is_disjoint(
    drawn: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    found, pairs = drawn
    image = found.set_index("id")
    copies = set(zip(pairs["first"], pairs["second"], strict=True))
    kin = {
        (a, b)
        for a, p in image["group"].items()
        for b, q in image["group"].items()
        if p and p == q and a != b
    }
    expected = {}
    for name in image.index[image["split"] == "train"]:
        same = image.loc[sorted(reached(name, copies))]
        if same.loc[same["split"] == "train", "label"].nunique() > 1:
            expected[name] = CONFLICT
        elif (same["split"] == "test").any():
            expected[name] = TEST_COPY
        elif (image.loc[sorted(reached(name, copies | kin)), "split"] == "test").any():
            expected[name] = TEST_GROUP
    out = left_out(found, pairs)
    assert dict(zip(out["id"], out["reason"], strict=True)) == expected
    assert out["id"].tolist() == [name for name in found["id"] if name in expected]
    stays = joined(found, pairs)
    stays = stays[~stays["id"].isin(out["id"])]
    parts = {
        split: list(stays.loc[stays["split"] == split, "group"]) for split in ("train", "test")
    }
    assert_disjoint(parts)
    assert (found["split"] == "test").sum() == len(parts["test"])
    for line in out.itertuples():
        other = image.loc[line.other]
        if line.reason == CONFLICT:
            assert (other["split"], line.other_label) == ("train", other["label"])
            assert line.label != other["label"]
        else:
            assert (other["split"], line.other_label) == ("test", "")


def test_the_nearest_copy_is_named_as_the_reason() -> None:
    found = table([(name, name[0], "train", "") for name in ("x1", "y1", "y2", "x2")])
    pairs = pd.concat([pairs_of(("x1", "y1"), correlation=0.991), pairs_of(("x1", "y2"))])
    pairs = pd.concat([pairs, pairs_of(("x1", "x2"), correlation=1.0)])
    out = left_out(found, pairs).set_index("id")
    assert out.loc["x1", ["other", "distance", "correlation"]].tolist() == ["y2", 2, 0.995]
    # x2 is a copy of the two only through x1.
    assert out.loc["x2", "other"] in ("y1", "y2")
    assert np.isnan(out.loc["x2", "correlation"])


def test_nothing_to_leave_out_is_an_empty_table_of_the_same_columns() -> None:
    out = left_out(table([("a", "x", "train", ""), ("b", "y", "test", "")]), pairs_of())
    assert out.empty
    assert list(out.columns) == LEFT_OUT


FOUND = table(
    [
        ("a1", "x", "train", "p1"),
        ("a2", "x", "train", "p1"),
        ("b3", "x", "train", ""),
        ("a4", "x", "train", ""),
        ("a5", "y", "train", "p2"),
        ("b6", "x", "train", "p3"),
        ("b7", "y", "train", "p4"),
        ("b8", "y", "test", "p5"),
        ("a9", "y", "train", "p6"),
    ]
)
PAIRS = pairs_of(("b3", "a4"), ("a5", "b6"), ("b7", "b8"))


def test_groups_are_counted_by_what_they_come_from() -> None:
    leaks = leaks_of(FOUND, PAIRS, [True, False, False])
    assert (leaks.images, leaks.groups, leaks.largest) == (9, 5, 2)
    assert leaks.origins == {
        "known from patients or metadata": 1,
        "found by duplicates": 1,
        "joined from both": 2,
        "of a single image": 1,
    }


def test_pairs_say_what_they_cross_and_no_label_of_a_test_image_is_compared() -> None:
    found = FOUND.assign(label=FOUND["label"].mask(FOUND["id"] == "b8", "x"))
    pairs = leaks_of(found, PAIRS, [True, False, False]).pairs
    assert pairs["across_labels"].tolist() == [False, True, False]
    assert pairs["across_sources"].tolist() == [True, True, False]
    assert pairs["across_splits"].tolist() == [False, False, True]
    assert pairs["exact"].tolist() == [True, False, False]


def test_an_unknown_source_is_no_other_source() -> None:
    found = FOUND.assign(source=FOUND["source"].mask(FOUND["id"] == "b3", ""))
    pairs = leaks_of(found, PAIRS, [True, False, False]).pairs
    assert pairs["across_sources"].tolist() == [False, True, False]


def test_what_is_left_out_is_written_with_whole_distances_and_no_cell_for_none() -> None:
    found = table([(name, name[0], "train", "") for name in ("x1", "y1", "x2")])
    out = left_out(found, pairs_of(("x1", "y1"), ("x1", "x2")))
    assert out.to_csv(index=False).splitlines()[1:] == [
        f"x1,x1.png,x,{CONFLICT},y1,y,2,0.995",
        f"y1,y1.png,y,{CONFLICT},x1,x,2,0.995",
        f"x2,x2.png,x,{CONFLICT},y1,y,,",
    ]


def test_ids_are_exchanged_where_test_images_take_those_of_the_sample() -> None:
    leaks = leaks_of(FOUND, PAIRS, [True, False, False]).renamed({"b8": "8.png", "a1": "a1"})
    assert leaks.pairs["second"].tolist() == ["a4", "b6", "8.png"]
    assert leaks.left_out["other"].tolist() == ["b6", "a5", "8.png"]


def test_the_report_says_everything_that_was_found() -> None:
    parts = pd.DataFrame(
        {
            "part": ["fold 0", "fold 0", "fold 1", "fold 1", "test", "fold 0"],
            "label": ["x", "x", "x", "x", "", "y"],
            "source": ["a", "a", "b", "a", "", "a"],
        }
    )
    text = leak_report(leaks_of(FOUND, PAIRS, [True, False, False]), parts)
    for sentence in (
        "- images: 9",
        "- groups: 5",
        "- images of the largest group: 2",
        "- groups joined from both: 2",
        "- pairs that are the same file twice: 1",
        "- pairs that were resaved, resized or changed in brightness: 2",
        "- pairs under two labels: 1",
        "- pairs from two sources: 2",
        "| a5 | b6 | 2 | 0.995 |",
        "Images left out: 3 of 9. left_out.csv lists them all.",
        "### A copy carries another label: 2",
        "| a5 | y | b6 | x |",
        "### A copy of it is in the test set: 1",
        "| b7 | y | b8 |",
        "| label | source | fold 0 | fold 1 | test |",
        "| x | a | 2 | 1 | 0 |",
        "| unknown | unknown | 0 | 0 | 1 |",
    ):
        assert sentence in text
    assert TEST_GROUP.capitalize() not in text


def test_a_report_of_nothing_says_so() -> None:
    found = table([("a", "x", "train", "")])
    parts = pd.DataFrame({"part": ["fold 0"], "label": ["x"], "source": [""]})
    text = leak_report(leaks_of(found, pairs_of(), []), parts)
    assert "- pairs that are the same file twice: 0" in text
    assert "Nothing had to be left out." in text


def test_a_long_table_is_cut_and_says_so() -> None:
    rows = [(f"{label}{k:02}", label, "train", "") for k in range(30) for label in "xy"]
    pairs = pairs_of(*((f"x{k:02}", f"y{k:02}") for k in range(30)))
    parts = pd.DataFrame({"part": [], "label": [], "source": []}, dtype=object)
    text = leak_report(leaks_of(table(rows), pairs, [False] * 30), parts)
    assert f"{SHOWN} of 30" in text
    assert f"{SHOWN} of 60" in text
    assert len(text.splitlines()) < 100


def test_one_line_says_how_many_are_left_out_and_why() -> None:
    out = leaks_of(FOUND, PAIRS, [True, False, False]).left_out
    assert left_out_sentence(out, "left_out.csv") == (
        f"Left out of training: 2 since {CONFLICT}; 1 since {TEST_COPY}. "
        "They are listed in left_out.csv."
    )
