"""Sources are told where features tell them, and a source that was left out is judged by others."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from kagglecxr.shortcuts.held_out import Outputs
from kagglecxr.shortcuts.sources import SourceTests, measure_sources, scores_by
from tests.shortcuts.drawn_chests import drawn_chests

NUMBER = 160


def measured(shown: np.ndarray, sources: np.ndarray) -> SourceTests | None:
    """The tests of features (N, channels), of a run that answers by the first of them."""
    audited = drawn_chests(NUMBER, corner=1.0)
    audited = dataclasses.replace(audited, sources=np.array(sources, object))
    sure = np.where(shown[:, :1] > 0.5, 0.9, 0.1)
    outputs = Outputs(np.hstack([1 - sure, sure]), shown.astype(np.float32))
    return measure_sources(audited, outputs, 0, np.random.default_rng(0))


def test_a_run_that_reads_the_disease_is_as_good_without_a_source() -> None:
    classes = np.arange(NUMBER) % 2
    sources = np.where(np.arange(NUMBER) % 8 < 4, "a", "b")
    found = measured(np.stack([classes, 1 - classes], axis=1), sources)
    assert found is not None
    assert found.association == pytest.approx(0, abs=1e-6)
    assert found.by_class == pytest.approx(0.5, abs=0.1)
    assert found.told.low < 0.55
    table = found.table.set_index("source")
    assert (table[["inside", "left_out", "seen"]] == 1).all(axis=None)
    assert table["images"].tolist() == [80, 80]


def test_a_run_that_reads_the_source_fails_without_it() -> None:
    classes, number = np.arange(NUMBER) % 2, np.arange(NUMBER)
    is_a = number % 8 < 4
    # In either source another feature tells the class, and a third tells the source.
    shown = np.stack([is_a * classes, ~is_a * (1 - classes), is_a], axis=1)
    found = measured(shown, np.where(is_a, "a", "b"))
    assert found is not None
    assert found.told.low > 0.95
    table = found.table.set_index("source")
    assert table.loc["a", "inside"] == 1
    assert table.loc["b", "inside"] == 0.5
    assert (table["seen"] > 0.95).all()
    assert (table["left_out"] < 0.6).all()


def test_where_the_source_is_the_class_none_is_judged_by_the_others() -> None:
    classes = np.arange(NUMBER) % 2
    found = measured(classes[:, None] + 0.0, np.where(classes == 0, "a", "b"))
    assert found is not None
    assert found.association == pytest.approx(1)
    assert found.by_class == 1
    assert found.table["left_out"].isna().all()


def test_one_source_is_nothing_to_compare() -> None:
    sources = np.where(np.arange(NUMBER) < 10, "small", "large")
    assert measured(np.ones((NUMBER, 1)), sources) is None


def test_recall_of_parts_by_hand() -> None:
    classes = np.repeat([0, 1], 25)
    probabilities = np.eye(2, dtype=np.float32)[
        np.concatenate([np.zeros(40, int), np.ones(10, int)])
    ]
    sex = np.array(["F"] * 30 + ["M"] * 18 + [""] * 2, object)
    found = scores_by({"sex": sex}, classes, probabilities, ["well", "ill"])
    expected = pd.DataFrame(
        [("sex", "F", "well", 25, 1.0), ("sex", "F", "ill", 5, 0.0)],
        columns=["by", "value", "class", "images", "recall"],
    )
    pd.testing.assert_frame_equal(found, expected)
