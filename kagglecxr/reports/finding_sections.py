"""Sections of a page on models that predict several findings an image."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from kagglecxr.core.finding_metrics import (
    FINDING_METRICS,
    PRESENT,
    auc_of_findings,
    f1_of_findings,
    finding_table,
)
from kagglecxr.core.intervals import Interval, bootstrap_interval
from kagglecxr.core.metrics import Metric, area_under_curve
from kagglecxr.core.seeding import generator
from kagglecxr.ensembling.finding_thresholds import fit_finding_thresholds, nested_decisions
from kagglecxr.inference.predictions import Predictions
from kagglecxr.reports.compared_models import RESAMPLES, ComparedModel
from kagglecxr.reports.cooccurrence import cooccurrence_shares, share_heatmaps
from kagglecxr.reports.eda.charts import SHADES
from kagglecxr.reports.page import PageFigure, PageSection
from kagglecxr.reports.run_figures import shorten_name

SHOWN = 24
Models = Sequence[tuple[ComparedModel, Predictions]]


def finding_sections(models: Models, seed: int) -> list[PageSection]:
    """Returns the sections of the best models, the best first."""
    (best, oof), *_ = models
    return [
        _findings_section(best, oof, seed),
        _curves_section(best, oof),
        _thresholds_section(best, oof),
        _cooccurrence_section(best, oof),
        _metrics_section(models),
        _errors_section(best, oof),
    ]


def _findings_section(model: ComparedModel, oof: Predictions, seed: int) -> PageSection:
    table = finding_table(oof.truth, oof.probabilities, model.targets)
    intervals = [_auc_interval(model, oof, k, seed) for k in range(len(model.targets))]
    shown = pd.DataFrame(
        {
            "finding": table["finding"],
            "images": table["images"].map("{:,}".format),
            "not known": table["unknown"].map("{:,}".format),
            "AUC": table["auc"].map(_digits),
            "95 % interval": intervals,
            "average precision": table["average_precision"].map(_digits),
            "F1 at 0.5": table["f1"].map(_digits),
        }
    )
    sentences = [
        f"{model.name}, out of fold. Intervals are of patients or groups drawn anew; resamples "
        "without an image of the finding are left out. Labels that are not known have no part in "
        "any figure."
    ]
    return PageSection("Findings", sentences, table=shown)


def _auc_interval(model: ComparedModel, oof: Predictions, finding: int, seed: int) -> str:
    if model.groups is None:
        return ""
    one = Metric("auc", lambda truth, scored: float(auc_of_findings(truth, scored)[0]))
    part = slice(finding, finding + 1)
    random = generator(seed, "findings", model.targets[finding])
    found = bootstrap_interval(
        one, oof.truth[:, part], oof.probabilities[:, part], model.groups, random, RESAMPLES
    )
    return _bounds(found)


def _bounds(found: Interval) -> str:
    return "" if np.isnan(found.low) else f"{found.low:.3f} to {found.high:.3f}"


def _digits(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.3f}"


def _curves_section(model: ComparedModel, oof: Predictions) -> PageSection:
    figure = Figure(figsize=(7, 6), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", ls=":", lw=1)
    for number, name in enumerate(model.targets):
        known = ~np.isnan(oof.truth[:, number])
        is_there, scored = oof.truth[known, number] == 1, oof.probabilities[known, number]
        if is_there.all() or not is_there.any():
            continue
        wrong, right, _ = roc_curve(is_there, scored)
        style = ("-", "--", ":")[number // len(SHADES) % 3]
        label = f"{shorten_name(name)} {area_under_curve(is_there, scored):.3f}"
        axes.plot(wrong, right, color=SHADES[number % len(SHADES)], ls=style, lw=2, label=label)
    axes.set(xlabel="1 - specificity", ylabel="sensitivity (recall)", aspect="equal")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", frameon=False)
    caption = f"{model.name}: ROC curves of the findings with their areas."
    return PageSection("ROC curves", [], [PageFigure("roc", figure, caption, caption)])


def _thresholds_section(model: ComparedModel, oof: Predictions) -> PageSection:
    truth, probabilities = oof.truth, oof.probabilities
    columns: dict[str, Sequence[object]] = {
        "finding": model.targets,
        "F1 at 0.5": [_digits(v) for v in f1_of_findings(truth, probabilities)],
        "threshold": [_digits(v) for v in fit_finding_thresholds(truth, probabilities)],
    }
    sentences = [
        "The threshold has the best F1 score of all out-of-fold images, which flatters it."
    ]
    if model.fold_of is not None:
        decided = nested_decisions(truth, probabilities, model.fold_of).astype(np.float64)
        columns["F1, nested"] = [_digits(v) for v in f1_of_findings(truth, decided)]
        sentences.append(
            "Nested is the F1 score of each fold with the threshold of the others: expect that on "
            "new images, and move a threshold only where it is clearly above that at 0.5."
        )
    return PageSection("Thresholds", sentences, table=pd.DataFrame(columns))


def _cooccurrence_section(model: ComparedModel, oof: Predictions) -> PageSection:
    said = (oof.probabilities >= PRESENT).astype(np.float64)
    panels = {
        "true": cooccurrence_shares(oof.truth, oof.truth),
        "predicted": cooccurrence_shares(oof.truth, said),
    }
    figure = share_heatmaps(panels, model.targets, model.targets, "share of the row's images")
    caption = (
        "Of the images with a finding (row), the share that have another one (left) and of which "
        "another one is predicted at 0.5 (right), where it is known: where the right is darker, "
        "findings are taken for one another or seen together more often than they are."
    )
    alt = f"Co-occurrence of findings, true and predicted by {model.name}."
    picture = PageFigure("cooccurrence", figure, alt, caption)
    return PageSection("Findings together", [], [picture])


def _metrics_section(models: Models) -> PageSection:
    columns = {
        model.name: {
            FINDING_METRICS[name].title: _digits(
                FINDING_METRICS[name](oof.truth, oof.probabilities)
            )
            for name in FINDING_METRICS.names()
        }
        for model, oof in models
    }
    table = pd.DataFrame(columns).reset_index(names="")
    sentences = ["Means are over findings; micro is of all cells; F1 scores are at 0.5."]
    return PageSection("All metrics", sentences, table=table)


def _errors_section(model: ComparedModel, oof: Predictions) -> PageSection:
    errors = finding_errors(oof, model.targets).head(SHOWN)
    shown = errors.assign(probability=errors["probability"].map(_digits))
    sentences = [
        f"{model.name} is surest of these. Look for labels that are wrong: those of large "
        "collections were read from reports by a program."
    ]
    return PageSection("Most confident errors", sentences, table=shown)


def finding_errors(oof: Predictions, findings: Sequence[str]) -> pd.DataFrame:
    """Returns `id,finding,error,probability`, a line for each wrong cell, the surest first.

    An error is "missed" or "false alarm"; cells that are not known are none.
    """
    there, said = oof.truth == 1, oof.probabilities >= PRESENT
    rows, columns = np.nonzero((there != said) & ~np.isnan(oof.truth))
    probability = oof.probabilities[rows, columns]
    table = pd.DataFrame(
        {
            "id": oof.ids[rows],
            "finding": np.array(findings, dtype=object)[columns],
            "error": np.where(there[rows, columns], "missed", "false alarm"),
            "probability": probability,
        }
    )
    order = np.argsort(-np.abs(probability - PRESENT), kind="stable")
    return table.iloc[order].reset_index(drop=True)
