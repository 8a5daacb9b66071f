"""Figures of probabilities: scores with intervals, ROC and precision-recall curves, reliability."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_curve

from kagglecxr.core.intervals import Interval
from kagglecxr.core.metrics import Labels, Probabilities, area_under_curve
from kagglecxr.ensembling.calibration import expected_calibration_error, reliability_table
from kagglecxr.reports.eda.charts import SHADES
from kagglecxr.reports.run_figures import TRAIN, VALIDATION, shorten_name

WIDTH = 10.0
"""Of every figure, in inches."""
LONGEST = 44
"""The longest name of a run beside an axis, in characters."""


def score_intervals(
    names: Sequence[str], scores: Sequence[Interval], are_ensembles: Sequence[bool], metric: str
) -> Figure:
    """Plots the score of each model as a dot with its 95 % interval, the first on top."""
    figure = Figure(figsize=(WIDTH, 1.3 + 0.42 * len(names)), layout="constrained")
    axes = figure.subplots()
    for position, (score, is_ensemble) in enumerate(zip(scores, are_ensembles, strict=True)):
        colour = VALIDATION if is_ensemble else TRAIN
        axes.plot([score.low, score.high], [position] * 2, color=colour, lw=3, alpha=0.45)
        marker = "D" if is_ensemble else "o"
        axes.plot(score.score, position, marker, color=colour, ms=8)
        axes.annotate(
            f"{score.score:.4f}", (score.score, position), xytext=(0, 7), fontsize=8,
            textcoords="offset points", ha="center",
        )  # fmt: skip
    if np.isfinite(scores[0].low):
        axes.axvspan(scores[0].low, scores[0].high, color="black", alpha=0.05, lw=0)
    axes.set_yticks(range(len(names)), [shorten_name(name, LONGEST) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.7)
    axes.set(xlabel=f"out-of-fold {metric}")
    axes.grid(axis="x", alpha=0.3)
    return figure


def roc_and_precision_recall(
    truth: Labels, probabilities: Probabilities, targets: Sequence[str]
) -> Figure:
    """Plots ROC and precision-recall curves of each target against the rest, with their areas.

    Targets without an image, or that all images are of, have none. `truth`, target ids, is (N,),
    `probabilities` (N, targets).
    """
    rows = -(-len(targets) // 2)
    figure = Figure(figsize=(WIDTH, 4.4 + 0.2 * rows), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], color="grey", ls=":", lw=1)
    for target, (name, scored) in enumerate(zip(targets, probabilities.T, strict=True)):
        is_target = truth == target
        if is_target.all() or not is_target.any():
            continue
        line = {
            "color": SHADES[target % len(SHADES)],
            "lw": 2,
            "ls": _STYLES[target // len(SHADES) % len(_STYLES)],
        }
        false_positives, sensitivity, _ = roc_curve(is_target, scored)
        precision, recall, _ = precision_recall_curve(is_target, scored)
        area, average = (
            area_under_curve(is_target, scored),
            average_precision_score(is_target, scored),
        )
        label = f"{shorten_name(name)}: AUC {area:.3f}, AP {average:.3f}"
        left.plot(false_positives, sensitivity, label=label, **line)
        right.plot(recall, precision, drawstyle="steps-post", **line)
        right.plot([0, 1], [is_target.mean()] * 2, color=line["color"], ls=":", lw=1)
    _square(left, "ROC, each class against the rest", "1 - specificity", "sensitivity (recall)")
    _square(right, "Precision and recall, each class against the rest", "recall", "precision")
    figure.legend(
        *left.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False
    )
    return figure


def reliability_diagram(
    truth: Labels, before: Probabilities, after: Probabilities | None
) -> Figure:
    """Plots accuracy by confidence, before calibration and after it, and the images in each bin.

    `truth`, target ids, is (N,), the probabilities (N, targets).
    """
    parts = [("as they are", before, TRAIN)]
    if after is not None:
        parts.append(("calibrated", after, VALIDATION))
    figure = Figure(figsize=(WIDTH, 4.4), layout="constrained")
    grid = figure.subplots(2, 2, sharex=True, height_ratios=(4, 1), squeeze=False)
    for column, (name, probabilities, colour) in enumerate(parts):
        table = reliability_table(probabilities, truth)
        upper, lower = grid[:, column]
        width = table["high"] - table["low"]
        upper.bar(
            table["low"],
            table["accuracy"],
            width,
            align="edge",
            color=colour,
            alpha=0.35,
            ec="white",
        )
        upper.plot(table["confidence"], table["accuracy"], "o-", color=colour, ms=4)
        error = expected_calibration_error(probabilities, truth)
        _square(upper, f"{name}: expected calibration error {error:.3f}", "", "accuracy")
        upper.plot([0, 1], [0, 1], color="grey", ls=":", lw=1)
        lower.bar(table["low"], table["images"], width, align="edge", color=colour, ec="white")
        lower.set(xlabel="confidence: probability of the predicted class", ylabel="images")
    for axes in grid[:, len(parts) :].ravel():
        axes.set_axis_off()
    return figure


_STYLES = ("-", "--", "-.")


def _square(axes: Axes, title: str, xlabel: str, ylabel: str) -> None:
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02), xlabel=xlabel, ylabel=ylabel)
    axes.set_title(title, fontsize=11)
    axes.grid(alpha=0.3)
