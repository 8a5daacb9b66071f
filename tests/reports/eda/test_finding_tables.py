"""Tables of findings: what is counted where, and what a fact of an image tells."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import chi2_contingency

from kagglecxr.core.findings import join_findings
from kagglecxr.reports.eda.finding_overview import together_section, told_by
from kagglecxr.reports.eda.finding_tables import (
    NOT_ALL_KNOWN,
    auc_from_fact,
    cooccurrence_table,
    cramers_v,
    example_rows,
    finding_by_source,
    finding_counts,
    findings_per_image,
)
from kagglecxr.reports.eda.tables import extreme_images, image_sizes
from tests.reports.eda.test_tables import make_index

FINDINGS, NONE = ["Edema", "Mass"], "No Finding"
TABLES = st.tuples(st.integers(1, 25), st.integers(1, 4)).flatmap(
    lambda shape: arrays.arrays(np.float32, shape, elements=st.sampled_from([0.0, 1.0, np.nan]))
)
UNKNOWN = np.float32(np.nan)
TRUTH = np.array([[1, 0], [1, 1], [UNKNOWN, 0], [0, 0], [0, UNKNOWN]], np.float32)
CELLS = ["Edema", "Edema|Mass", "?Edema", NONE, "?Mass"]
INDEX = make_index([{"label": cell} for cell in CELLS] + [{"split": "test"}])


def test_an_uncertain_finding_is_counted_as_not_known() -> None:
    counts = finding_counts(INDEX, TRUTH, FINDINGS, NONE).set_index("class")
    assert counts["images"].to_dict() == {"Edema": 2, "Mass": 1, NONE: 1, "": 1}
    assert counts["not_known"].to_dict() == {"Edema": 1, "Mass": 1, NONE: 2, "": 0}
    assert counts["share"].to_dict() == {"Edema": 2 / 4, "Mass": 1 / 4, NONE: 1 / 3, "": 1.0}


@given(TABLES)
def test_numbers_of_findings_sum_to_the_images(truth: np.ndarray) -> None:
    numbers = findings_per_image(truth)
    assert numbers["images"].sum() == len(truth)
    assert numbers["share"].sum() == pytest.approx(1)
    known = numbers[numbers["findings"] != NOT_ALL_KNOWN]
    rows = truth[~np.isnan(truth).any(axis=1)]
    assert (known["findings"].astype(int) * known["images"]).sum() == rows.sum()


def test_pairs_are_told_from_both_sides() -> None:
    pairs = cooccurrence_table(TRUTH, FINDINGS)
    assert pairs.to_numpy().tolist() == [
        ["Edema", "Edema", 2, 2, 1.0],
        ["Edema", "Mass", 1, 2, 0.5],
        ["Mass", "Edema", 1, 1, 1.0],
        ["Mass", "Mass", 1, 1, 1.0],
    ]


@settings(deadline=None)
@given(TABLES)
def test_the_section_can_be_made_of_any_findings(truth: np.ndarray) -> None:
    findings = [f"f{number}" for number in range(truth.shape[1])]
    pairs = cooccurrence_table(truth, findings)
    section = together_section(findings_per_image(truth), pairs, findings)
    assert [picture.name for picture in section.pictures] == ["findings-per-image", "cooccurrence"]
    drawn = np.asarray(section.pictures[1].figure.axes[0].images[0].get_array())
    for row in pairs.itertuples():
        cell = drawn[findings.index(row.finding), findings.index(row[2])]
        np.testing.assert_equal(cell, row.share)


def test_the_share_of_a_source_is_of_its_known_images() -> None:
    table = finding_by_source(TRUTH, ["x", "x", "x", "y", ""], FINDINGS)
    of_edema = table[table["finding"] == "Edema"].set_index("source")
    assert list(of_edema.index) == ["x", "unknown", "y"]
    assert of_edema["images"].to_dict() == {"x": 2, "unknown": 0, "y": 0}
    assert of_edema["share"].to_dict() == {"x": 1.0, "unknown": 0.0, "y": 0.0}
    of_mass = table[table["finding"] == "Mass"].set_index("source")
    assert np.isnan(of_mass["share"]["unknown"])
    assert finding_by_source(TRUTH, [""] * 5, FINDINGS).empty


@settings(deadline=None)
@given(TABLES, st.randoms())
def test_association_is_cramers_v(truth: np.ndarray, random: object) -> None:
    facts = ["xyz"[random.randrange(3)] for _ in range(len(truth))]  # type: ignore[attr-defined]
    for number, value in enumerate(cramers_v(truth, facts)):
        known = np.flatnonzero(~np.isnan(truth[:, number]))
        kinds = sorted({facts[row] for row in known})
        table = np.array(
            [[sum(truth[r, number] == v and facts[r] == k for r in known) for k in kinds]
             for v in (0, 1)]
        )  # fmt: skip
        if len(kinds) < 2 or not table.sum(axis=1).all():
            assert np.isnan(value)
        else:
            chi2 = chi2_contingency(table, correction=False).statistic
            assert value == pytest.approx(np.sqrt(chi2 / table.sum()), abs=1e-9)


def test_a_source_that_tells_a_finding_has_an_auc_of_one() -> None:
    truth = np.tile(np.array([[1, 0], [1, 1], [0, 1], [0, 0]], np.float32), (4, 1))
    fold = np.repeat([0, 1], 8)
    facts = ["ill" if row[0] else "well" for row in truth]
    assert auc_from_fact(truth, facts, fold).tolist() == [1.0, 0.5]
    assert cramers_v(truth, facts).tolist() == [1.0, 0.0]


@given(TABLES)
def test_a_fact_that_is_alike_for_all_tells_nothing(truth: np.ndarray) -> None:
    fold = np.arange(len(truth)) % 3
    scores = auc_from_fact(truth, [""] * len(truth), fold)
    assert set(scores[~np.isnan(scores)]) <= {0.5}


def test_the_finding_that_the_fact_tells_best_is_named() -> None:
    sentence = told_by("source", np.array([0.5, np.nan, 0.9]), ["a", "b", "c"])
    assert "a mean AUC of 0.70, c the highest with 0.90" in sentence
    assert "No finding" in told_by("size", np.array([np.nan]), ["a"])


@settings(deadline=None)
@given(TABLES, st.integers(0, 5))
def test_examples_show_their_finding_and_few_others(truth: np.ndarray, seed: int) -> None:
    rows = example_rows(truth, np.random.default_rng(seed))
    for number, row in enumerate(rows[:-1]):
        has_it = truth[:, number] == 1
        assert (row >= 0) == has_it.any()
        assert row < 0 or has_it[row]
    assert rows[-1] < 0 or (truth[rows[-1]] == 0).all()
    assert (rows[-1] >= 0) == (truth == 0).all(axis=1).any()


def test_an_image_with_one_finding_shows_it_best() -> None:
    truth = np.array([[1, 1], [1, 0], [1, 1]], np.float32)
    assert example_rows(truth, np.random.default_rng(0)).tolist()[0] == 1


def test_sizes_and_extremes_count_an_image_with_each_of_its_findings() -> None:
    sizes = image_sizes(INDEX, multilabel=True)
    images = sizes.set_index("class")["images"].to_dict()
    assert images == {"Edema": 2, "Mass": 1, NONE: 1, "unknown": 2, "": 1}
    extremes = extreme_images(INDEX, np.arange(6.0), FINDINGS)
    assert extremes[["class", "id"]].to_numpy().tolist() == [
        ["Edema", "i0"], ["Edema", "i1"], ["Mass", "i1"],
    ]  # fmt: skip


def test_cells_of_this_file_are_those_of_an_index() -> None:
    for row, cell in zip(TRUTH, CELLS, strict=True):
        there, unsure = ([n for n, v in zip(FINDINGS, row, strict=True) if test(v)]
                         for test in (lambda v: v == 1, np.isnan))  # fmt: skip
        assert join_findings(there, unsure, FINDINGS, NONE) == cell
