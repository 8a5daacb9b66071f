"""The verdict needs both signs, and says its numbers."""

import numpy as np
import pytest

from kagglecxr.core.intervals import Interval
from kagglecxr.core.progress import Silent
from kagglecxr.shortcuts.background_gap import BackgroundGap, measure_background_gap
from kagglecxr.shortcuts.region_matrix import measure_regions
from kagglecxr.shortcuts.verdict import (
    CLEAN,
    NOTHING,
    SHORTCUT,
    UNEXPLAINED,
    UNTESTED,
    UNUSED,
    Verdict,
    judge,
)
from tests.shortcuts.drawn_chests import PixelReader, drawn_chests

SHARES = np.array([[0.9, 0.6], [0.5, 0.8]])


def gap(low: float) -> BackgroundGap:
    interval = Interval(low + 0.1, low, low + 0.2)
    return BackgroundGap(SHARES, interval, interval, 70, 3)


@pytest.mark.parametrize(
    ("corner", "reads_corner", "kind"),
    [(0.95, True, SHORTCUT), (0.95, False, UNUSED), (0.5, False, CLEAN), (0.5, True, NOTHING)],
)
def test_verdicts_on_nets_that_read_what_they_read(
    corner: float, reads_corner: bool, kind: str
) -> None:
    audited, net = drawn_chests(corner=corner), PixelReader(reads_corner)
    whole = net.predict(audited.images, audited.folds)
    regions = measure_regions(audited, net, whole, 0, Silent())  # type: ignore[arg-type]
    swapped = measure_background_gap(audited, net, np.random.default_rng(0), Silent())  # type: ignore[arg-type]
    verdict = judge(regions, swapped, np.random.default_rng(0))
    assert verdict.kind == kind
    assert verdict.chance == 0.5


def test_one_sign_alone_is_no_shortcut() -> None:
    audited, net = drawn_chests(corner=0.5), PixelReader(reads_corner=False)
    whole = net.predict(audited.images, audited.folds)
    regions = measure_regions(audited, net, whole, 0, Silent())  # type: ignore[arg-type]
    assert judge(regions, gap(0.01), np.random.default_rng(0)).kind == UNEXPLAINED
    assert judge(regions, None, np.random.default_rng(0)).kind == UNTESTED


def test_the_sentence_has_the_numbers_and_what_follows() -> None:
    whole, background = Interval(0.83, 0.8, 0.86), Interval(0.67, 0.63, 0.71)

    def said(kind: str, swapped: BackgroundGap | None) -> str:
        return Verdict(kind, whole, background, swapped, 0.25).sentence("run-1")

    assert said(SHORTCUT, gap(0.05)) == (
        "run-1 reads what is outside of the lungs: balanced accuracy 0.83 (0.80 to 0.86) on whole "
        "images, where 0.25 is chance; from the background alone heads on its features have 0.67 "
        "(0.63 to 0.71); lungs put into an image of their own class are classified correctly in "
        "85%, into one of another class in 55% (their class' probability falls by 0.15 (0.05 to "
        "0.25); 70 images). Expect a lower score on images of another origin; train on lungs "
        "alone: prepare with --pipeline 'gray | resize | mask'."
    )
    for kind in (CLEAN, UNUSED):
        assert said(kind, gap(-0.1)).endswith("A fall of more than 0.10 is ruled out.")
    assert said(UNEXPLAINED, gap(0.1)).endswith("audit more images with --images.")
    assert said(UNTESTED, None).endswith("heads on its features have 0.67 (0.63 to 0.71).")
    assert said(NOTHING, gap(0.1)).endswith("0.86) on whole images, where 0.25 is chance.")
