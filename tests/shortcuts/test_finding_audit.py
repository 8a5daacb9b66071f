"""Each finding is audited by itself: what is read in the corner is named, and nothing else."""

import dataclasses

import numpy as np
import pytest

from kagglecxr.core.finding_metrics import auc_of_findings
from kagglecxr.core.progress import Silent
from kagglecxr.shortcuts.background_gap import BackgroundGap, measure_background_gap
from kagglecxr.shortcuts.finding_sentence import finding_sentence
from kagglecxr.shortcuts.heads import FEWEST, comparable_cells
from kagglecxr.shortcuts.held_out import AuditedImages
from kagglecxr.shortcuts.region_matrix import AS_TRAINED, RegionMatrix, measure_regions
from kagglecxr.shortcuts.regions import BACKGROUND, WHOLE
from kagglecxr.shortcuts.sources import measure_sources, scores_by
from kagglecxr.shortcuts.verdict import CLEAN, NOTHING, SHORTCUT, UNTESTED, UNUSED, Verdict, judge
from tests.shortcuts.drawn_findings import FINDINGS, RARE, UNKNOWN, FindingReader, drawn_findings


def comparable(audited: AuditedImages) -> AuditedImages:
    return audited.comparable(comparable_cells(audited, 0))


def regions_of(audited: AuditedImages, net: FindingReader) -> RegionMatrix:
    whole = net.predict(audited.images, audited.folds)
    return measure_regions(audited, net, whole, 0, Silent())  # type: ignore[arg-type]


def gap_of(audited: AuditedImages, net: FindingReader) -> BackgroundGap:
    found = measure_background_gap(audited, net, np.random.default_rng(1), Silent())  # type: ignore[arg-type]
    assert found is not None
    return found


@pytest.fixture(scope="module")
def audited() -> AuditedImages:
    return comparable(drawn_findings(corner=0.97))


@pytest.fixture(scope="module")
def verdict(audited: AuditedImages) -> Verdict:
    net = FindingReader()
    return judge(regions_of(audited, net), gap_of(audited, net), np.random.default_rng(0))


def test_unknown_and_rare_findings_are_not_compared() -> None:
    drawn = drawn_findings(corner=0.97)
    assert RARE < FEWEST
    cells = comparable_cells(drawn, 0)
    assert cells[:, 0].all()
    assert not cells[:UNKNOWN, 1].any()
    assert cells[UNKNOWN:, 1].all()
    assert not cells[:, 2].any()
    blind = dataclasses.replace(drawn, lungs=drawn.lungs & (np.arange(120) > 9)[:, None, None])
    kept = blind.comparable(comparable_cells(blind, 0))
    assert kept.ids.tolist() == drawn.ids[10:].tolist()
    assert np.isnan(kept.classes[:, 2]).all()


def test_patients_count_and_not_their_images() -> None:
    drawn = drawn_findings(corner=0.97)
    few = np.where(drawn.classes[:, 0] == 1, np.arange(120) // 2 % (FEWEST - 1), np.arange(120))
    of_few = dataclasses.replace(drawn, groups=few.astype(str).astype(object))
    assert not comparable_cells(of_few, 0)[:, 0].any()


def test_the_finding_of_the_corner_is_named_and_the_other_is_not(verdict: Verdict) -> None:
    bright, marked, rare = verdict.of_findings
    assert bright is not None
    assert marked is not None
    assert (bright.kind, marked.kind, rare) == (CLEAN, SHORTCUT, None)
    assert (verdict.kind, verdict.chance) == (SHORTCUT, 0.5)
    said = finding_sentence(verdict, "run-1", FINDINGS)
    assert said.startswith("run-1 reads what is outside of the lungs for Marked: mean AUC ")
    assert "over 2 of 3 findings on whole images" in said
    assert said.count("Bright") == 1
    assert f"For Bright a fall of the AUC by more than {bright.gap.accuracy.high:.2f}" in said  # type: ignore[union-attr]


def test_a_cue_that_is_not_there_is_not_found() -> None:
    clean = comparable(drawn_findings(corner=0.5))
    net = FindingReader(reads_corner=False)
    verdict = judge(regions_of(clean, net), gap_of(clean, net), np.random.default_rng(0))
    bright, marked, _ = verdict.of_findings
    assert bright is not None
    assert marked is not None
    assert (bright.kind, marked.kind, verdict.kind) == (CLEAN, NOTHING, CLEAN)
    said = finding_sentence(verdict, "run-1", FINDINGS)
    assert said.startswith("run-1 shows no sign of reading anything but the lungs: mean AUC")
    assert "Of Marked nothing is known" in said
    assert f" {SHORTCUT}" not in said


def test_sentences_of_other_verdicts(verdict: Verdict) -> None:
    alone = dataclasses.replace(verdict, kind=UNTESTED, gap=None)
    assert "no better" not in finding_sentence(alone, "a", FINDINGS)
    nothing = dataclasses.replace(verdict, kind=NOTHING)
    assert finding_sentence(nothing, "a", FINDINGS).endswith("where 0.50 is chance.")
    bright = dataclasses.replace(verdict.of_findings[0], kind=UNUSED)  # type: ignore[type-var]
    unused = dataclasses.replace(verdict, of_findings=(bright, *verdict.of_findings[1:]))
    assert finding_sentence(unused, "a", FINDINGS).endswith(
        "though the background alone tells Bright."
    )
    unclear = dataclasses.replace(verdict, of_findings=(verdict.of_findings[0], None, None))
    assert "though it is not clear for which finding" in finding_sentence(unclear, "a", FINDINGS)


def test_scores_are_areas_and_their_mean(audited: AuditedImages) -> None:
    regions = regions_of(audited, FindingReader())
    shown = regions.probabilities[BACKGROUND, BACKGROUND]
    scores = regions.recalls(BACKGROUND, BACKGROUND)
    np.testing.assert_array_equal(scores, auc_of_findings(audited.classes, shown))
    mean, each = regions.scores(BACKGROUND, BACKGROUND, np.random.default_rng(0))
    assert mean.score == pytest.approx(np.nanmean(scores))
    assert [one.score for one in each[:2]] == scores[:2].tolist()
    assert each[0].low < 0.5
    assert each[1].low > 0.9
    assert np.isnan(each[2].low)
    # A head is not asked about labels that are not known.
    assert np.isnan(shown[:UNKNOWN, 1]).all()
    assert not np.isnan(regions.probabilities[AS_TRAINED, WHOLE]).any()


def test_the_gap_is_of_the_finding_that_changes_and_halved_in_the_mean(
    audited: AuditedImages,
) -> None:
    gap = gap_of(audited, FindingReader())
    bright, marked, rare = gap.of_findings
    assert rare is None
    assert bright is not None
    assert marked is not None
    assert marked.accuracy.score > 0.8
    assert abs(bright.accuracy.score) < 0.05
    assert gap.accuracy.score == pytest.approx((bright.accuracy.score + marked.accuracy.score) / 2)
    assert gap.certainty.score == pytest.approx(
        (bright.certainty.score + marked.certainty.score) / 2
    )
    assert gap.same - gap.other == pytest.approx(gap.accuracy.score)
    # As many without it as with it in each fold.
    labels = [audited.classes[audited.folds == fold, 1] for fold in (0, 1)]
    counts = [2 * min((one == 1).sum(), (one == 0).sum()) for one in labels]
    assert marked.images == sum(counts)


def test_sources_go_with_the_finding_that_they_were_given() -> None:
    drawn = drawn_findings(corner=0.97)
    marked = np.nan_to_num(drawn.classes[:, 1]) == 1
    sources = np.where(marked, "a", "b").astype(object)
    drawn = dataclasses.replace(drawn, sources=sources)
    outputs = FindingReader().predict(drawn.images, drawn.folds)
    found = measure_sources(drawn, outputs, 0, np.random.default_rng(0))
    assert found is not None
    assert found.associations.argmax() == 1
    assert found.association == pytest.approx(1)
    assert found.associations[0] < 0.3
    assert found.by_class > 0.95
    table = found.table.set_index("source")
    # In a source all images are marked, or none: of the others the scores are means.
    assert table.loc["a", "classes"] <= 2
    assert (table["inside"] > 0.5).all()
    assert (table["left_out"] > 0.8).any()


def test_areas_of_parts_by_hand() -> None:
    truth = np.repeat([[1.0, 0.0], [0.0, np.nan]], 20, axis=0)
    said = np.repeat([[0.9, 0.5], [0.1, 0.5]], 20, axis=0)
    truth[20] = [1.0, 1.0]
    view = np.array(["AP", "PA"] * 20, object)
    found = scores_by({"view": view}, truth, said, FINDINGS[:2])
    assert found.columns.tolist() == ["by", "value", "finding", "images", "auc"]
    lines = found.set_index(["value", "finding"])
    assert lines.index.tolist() == [("AP", "Bright"), ("AP", "Marked"), ("PA", "Bright")]
    assert lines.loc[("PA", "Bright"), ["images", "auc"]].tolist() == [10, 1.0]
    # One of eleven has it and is said not to have it.
    assert lines.loc[("AP", "Bright"), "images"] == 11
    assert lines.loc[("AP", "Bright"), "auc"] == pytest.approx((10 + 0.5) / 11)
    assert lines.loc[("AP", "Marked"), ["images", "auc"]].tolist() == [1, 0.5]
