"""The part of an audit's page that is of single findings: a table, a figure and what they say."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from kagglecxr.core.intervals import Interval
from kagglecxr.reports.eda.charts import SHADES
from kagglecxr.reports.page import PageFigure, PageSection
from kagglecxr.reports.run_figures import shorten_name
from kagglecxr.shortcuts.audit_run import Audit
from kagglecxr.shortcuts.regions import LUNGS, NO_EDGE, SHAPE
from kagglecxr.shortcuts.verdict import SHORTCUT, Verdict, short

NOT_AUDITED = "not audited: too few patients with it, or without"


def finding_table(audit: Audit) -> pd.DataFrame:
    """Returns a line for each finding, with its scores and what is said of it.

    Returns:
        `finding,images,whole,background,lungs,no_edge,shape,same,other,fall,certainty,verdict` and,
        where there are several sources, `association`, Cramer's V of source and finding. Scores
        have the columns `_low` and `_high` where they have an interval. `images` have it; `whole`
        is the run's AUC; the next four are those of heads that are trained on a part of the image
        and shown it; `same` and `other` are AUCs on backgrounds of the lungs' label and of the
        other one, `fall` their difference, `certainty` by how much the probability falls.
    """
    parts = {"lungs": LUNGS, "no_edge": NO_EDGE, "shape": SHAPE}
    by_part = {name: audit.regions.recalls(part, part) for name, part in parts.items()}
    lines = []
    for number, (finding, one) in enumerate(
        zip(audit.targets, audit.verdict.of_findings, strict=True)
    ):
        line: dict[str, object] = {"finding": finding, "images": audit.images[number]}
        if one is not None:
            line |= _interval("whole", one.whole) | _interval("background", one.background)
            line |= {name: scores[number] for name, scores in by_part.items()} | _swapped(one)
        lines.append(line | {"verdict": NOT_AUDITED if one is None else one.kind})
    table = pd.DataFrame(lines)
    table = table[[*(name for name in table if name != "verdict"), "verdict"]]
    if audit.sources is not None:
        table["association"] = audit.sources.associations
    return table


def _swapped(verdict: Verdict) -> dict[str, object]:
    gap = verdict.gap
    if gap is None:
        return {}
    gaps = _interval("fall", gap.accuracy) | _interval("certainty", gap.certainty)
    return {"same": gap.same, "other": gap.other, **gaps}


def _interval(name: str, interval: Interval) -> dict[str, object]:
    return {name: interval.score, f"{name}_low": interval.low, f"{name}_high": interval.high}


def finding_section(audit: Audit) -> PageSection:
    """Returns the section on which findings the background tells, and which follow it."""
    table = finding_table(audit)
    shown = pd.DataFrame(
        {
            "finding": table["finding"],
            "images": table["images"].map("{:,}".format),
            "the run": _cells(audit, lambda one: short(one.whole)),
            "background alone": _cells(audit, lambda one: short(one.background)),
            **{
                title: table[name].map(lambda score: "" if np.isnan(score) else f"{score:.2f}")
                for title, name in (("no edge, no text", "no_edge"),)
            },
            "AUC falls on another background": _cells(
                audit, lambda one: "" if one.gap is None else short(one.gap.accuracy)
            ),
            "probability falls": _cells(
                audit, lambda one: "" if one.gap is None else short(one.gap.certainty)
            ),
            "verdict": table["verdict"],
        }
    )
    sentences = [
        "AUCs with intervals of patients drawn anew. What the background alone and the "
        "image without its edge and lettering tell is measured by heads on the run's features, "
        "one for each finding, trained on that part. Both falls are of lungs that are "
        "put into the background of an image with the other label instead of their own.",
        f"A run {SHORTCUT} to tell a finding where the background alone has an AUC above 0.5 and "
        "the probability falls, both by more than their intervals. Where nothing is to be read, "
        "the first is luck in some 7 to 12 of a hundred findings, the second in one of forty.",
        "That is a shortcut only where the finding does not show there. A large heart, a device "
        "and much of an effusion lie outside of a lung mask. A finding also follows the background "
        "where it is frequent together with one that shows there. Where heads are worse without "
        "the edge and the lettering, what they read is at the edge.",
    ]
    caption = "AUC of the run and of the background alone (left), and its fall (right), by finding."
    picture = PageFigure("findings", finding_figure(audit), caption, caption)
    return PageSection("Findings", sentences, [picture], shown)


def _cells(audit: Audit, text: Callable[[Verdict], str]) -> list[str]:
    return ["" if one is None else text(one) for one in audit.verdict.of_findings]


def finding_figure(audit: Audit) -> Figure:
    """Plots the AUCs of the run and of the background alone, and the fall, with their intervals."""
    judged = [
        (shorten_name(name), one)
        for name, one in zip(audit.targets, audit.verdict.of_findings, strict=True)
        if one is not None
    ]
    figure = Figure(figsize=(9, 1.6 + 0.4 * len(judged)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for row, (_, one) in enumerate(judged):
        drawn = [
            (left, one.whole, -0.12, SHADES[0], "the run"),
            (left, one.background, 0.12, SHADES[1], "background alone"),
        ]
        if one.gap is not None:
            drawn.append((right, one.gap.accuracy, 0.0, SHADES[0], "fall"))
        for axes, interval, shift, colour, label in drawn:
            axes.plot([interval.low, interval.high], [row + shift] * 2, color=colour, lw=2)
            axes.plot(interval.score, row + shift, "o", color=colour, label="" if row else label)
    left.set_yticks(range(len(judged)), [name for name, _ in judged])
    left.invert_yaxis()
    left.axvline(0.5, color="grey", ls=":")
    right.axvline(0.0, color="grey", ls=":")
    left.set(xlabel="AUC")
    right.set(xlabel="AUC falls on the background of the other label by")
    left.legend(loc="best", frameon=False, fontsize=8)
    return figure
