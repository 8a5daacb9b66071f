"""Sections of the comparison's page on the best runs and ensembles in detail."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix as count_confusions

from kagglecxr.core.errors import DataError
from kagglecxr.core.intervals import Interval, bootstrap_interval
from kagglecxr.core.metrics import METRICS, Metric
from kagglecxr.core.seeding import generator
from kagglecxr.core.workspace import Workspace
from kagglecxr.ensembling.operating_points import nested_operating_points, operating_points
from kagglecxr.ensembling.thresholds import nested_gain
from kagglecxr.inference.predictions import Predictions
from kagglecxr.reports.compared_models import RESAMPLES, ComparedModel
from kagglecxr.reports.comparison_cells import interval_text
from kagglecxr.reports.curves import reliability_diagram, roc_and_precision_recall
from kagglecxr.reports.error_grid import SHOWN, cached_images, error_grid
from kagglecxr.reports.error_maps import explain_errors
from kagglecxr.reports.page import PageFigure, PageSection
from kagglecxr.reports.run_figures import class_areas, class_errors, class_scores, learning_curves
from kagglecxr.reports.run_report import list_errors, read_histories

Models = Sequence[tuple[ComparedModel, Predictions]]
"""The best models with their out-of-fold predictions, the best first."""


def learning_section(models: Sequence[ComparedModel]) -> PageSection:
    """Returns the section of the learning curves of runs that have them."""
    pictures = []
    for number, model in enumerate(models):
        try:
            histories = read_histories(model.folder, model.records[0])
            figure = learning_curves(histories)
        except (DataError, KeyError):
            # The mean of a run's weights was not trained, and older runs wrote other columns.
            continue
        caption = f"{model.name}: a thin line for each of {len(histories)} folds, and their mean."
        pictures.append(PageFigure(f"learning-{number}", figure, caption, caption))
    sentences = [
        "A validation loss that rises while the training loss falls is overfitting; one far above "
        "the training loss from the first epoch on hints at batch normalisation or at validation "
        "images of another kind."
    ]
    return PageSection("Learning curves", sentences, pictures)


def classes_section(models: Models) -> PageSection:
    """Returns the section of confusion matrices and of the scores of each class."""
    pictures, tables = [], []
    for number, (model, oof) in enumerate(models):
        labels = range(len(model.targets))
        confusion = count_confusions(oof.truth, oof.probabilities.argmax(axis=1), labels=labels)
        table = class_scores(confusion, model.targets)
        caption = f"{model.name}: {table['wrong'].sum()} of {len(oof.truth):,} images are wrong."
        figure = class_errors(confusion, model.targets, table)
        pictures.append(PageFigure(f"classes-{number}", figure, caption, caption))
        table = table.join(class_areas(oof.truth, oof.probabilities))
        table.insert(0, "model", model.name)
        tables.append(_rounded(table.drop(columns="error")))
    sentences = [
        "Rows of a matrix are what images are, columns what they are taken for; a mistake that is "
        "as frequent in both directions hints at classes that look alike, one in a single "
        "direction at a threshold."
    ]
    return PageSection("Errors by class", sentences, pictures, pd.concat(tables))


def curves_section(models: Models) -> PageSection:
    """Returns the section of ROC and precision-recall curves."""
    pictures = []
    for number, (model, oof) in enumerate(models):
        figure = roc_and_precision_recall(oof.truth, oof.probabilities, model.targets)
        pictures.append(
            PageFigure(f"curves-{number}", figure, f"Curves of {model.name}.", model.name)
        )
    sentences = [
        "AUC is the chance that an image of the class gets a higher probability of it than another "
        "image; AP, the average precision, is the area below precision and recall. Dotted lines "
        "are guesses."
    ]
    return PageSection("ROC and precision-recall curves", sentences, pictures)


def calibration_section(models: Models) -> PageSection:
    """Returns the section of reliability diagrams."""
    pictures = []
    for number, (model, oof) in enumerate(models):
        figure = reliability_diagram(oof.truth, oof.probabilities, model.calibrated)
        alt = f"Accuracy by confidence of {model.name}."
        pictures.append(PageFigure(f"reliability-{number}", figure, alt, model.name))
    sentences = [
        "Of images classified with a confidence of 0.9, nine of ten should be right: bars on the "
        "dotted line. Below it a model is too sure of itself. Calibrated probabilities are "
        "raised to a power (a temperature) that was fitted on the other folds; the predicted "
        "classes stay the same."
    ]
    return PageSection("Calibration", sentences, pictures)


def thresholds_section(model: ComparedModel, oof: Predictions, metric: Metric) -> PageSection:
    """Returns the section of operating points of one model, and of what moved thresholds gain."""
    fold_of = model.fold_of
    parts = []
    for target, name in enumerate(model.targets):
        is_target, scores = oof.truth == target, oof.probabilities[:, target]
        try:
            if fold_of is None:
                table = operating_points(is_target, scores)
            else:
                table = nested_operating_points(is_target, scores, fold_of)
        except DataError:
            # A class without images, or with images in one fold alone, has none.
            continue
        table.insert(0, "class", name)
        parts.append(_rounded(table))
    sentences = [
        f"{model.name}: the sensitivity (recall) that each class reaches where it is reported from "
        "a probability on, for a wanted specificity. Nested columns are what thresholds reach that "
        "were chosen on the other folds: expect those on new images."
    ]
    if fold_of is not None and not metric.needs_probabilities:
        sentences.append(str(nested_gain(metric, oof.probabilities, oof.truth, fold_of)))
    return PageSection("Thresholds", sentences, table=pd.concat(parts) if parts else None)


def metrics_section(models: Models, metric: Metric, seed: int) -> PageSection:
    """Returns the section of all metrics, with two kinds of interval for the competition's."""
    columns = {}
    for model, oof in models:
        column = {metric.title: _value(metric, oof)}
        column["95 % interval, percentile"] = interval_text(model.score)
        column["95 % interval, BCa"] = interval_text(_corrected_interval(model, oof, metric, seed))
        for name in METRICS.names():
            other = METRICS[name]
            of = f" of {model.targets[-1]}" if other.measure_target is not None else ""
            column.setdefault(f"{other.title}{of}", _value(other, oof))
        columns[model.name] = column
    table = pd.DataFrame(columns).fillna("").reset_index(names="")
    sentences = [
        "All figures are out-of-fold. Intervals are of resampled groups of images, since images of "
        "one patient are alike; BCa ones are corrected for bias and skewness."
    ]
    return PageSection("All metrics", sentences, table=table)


def _corrected_interval(
    model: ComparedModel, oof: Predictions, metric: Metric, seed: int
) -> Interval | None:
    """The BCa interval; None without groups."""
    if model.groups is None:
        return None
    random = generator(seed, "compare", model.name)
    return bootstrap_interval(
        metric,
        oof.truth,
        oof.probabilities,
        model.groups,
        random,
        RESAMPLES,
        method="bca",
    )


def errors_section(
    model: ComparedModel, oof: Predictions, workspace: Workspace, seed: int
) -> PageSection:
    """Returns the section of the most confident errors of one model, and of what they came from."""
    errors = list_errors(oof, model.targets).head(SHOWN)
    title = "Most confident errors"
    if errors.empty:
        return PageSection(title, [f"{model.name} has no error."])
    sentences = [
        f"{model.name} is surest of these wrong predictions. Look for wrong labels, for images "
        "that are no chest X-ray, and for what a model should not look at: letters, tubes, borders."
    ]
    images = cached_images(model.records[0], workspace, list(errors["id"]))
    pictures = []
    if images:
        names = ", ".join(errors["id"])
        caption = "Above each: its id, then predicted and true class with their probabilities."
        pictures.append(
            PageFigure("errors", error_grid(images, errors), f"Images {names}.", caption)
        )
        mapped = explain_errors(model.runs, model.records, errors, images, seed)
        if mapped:
            caption = (
                "The same under Grad-CAM of the predicted class, by the fold that did not learn "
                "from the image: the brighter, the more it speaks for the class. "
                f"{workspace.command('explain', model.name)} has other methods and images."
            )
            alt = f"Grad-CAM of images {names}."
            pictures.append(PageFigure("errors-maps", error_grid(mapped, errors), alt, caption))
    else:
        sentences.append(
            "Their pictures are not shown, since those it was trained on are not prepared here now."
        )
    return PageSection(title, sentences, pictures, _rounded(errors))


def _value(metric: Metric, oof: Predictions) -> str:
    value = metric(oof.truth, oof.probabilities)
    return "" if np.isnan(value) else f"{value:.4f}"


def _rounded(table: pd.DataFrame) -> pd.DataFrame:
    """Returns a table of text: numbers with three digits after the point."""
    shown = table.rename(columns=lambda name: str(name).replace("_", " "))
    return shown.map(_three_digits)


def _three_digits(cell: object) -> str:
    if isinstance(cell, float | np.floating):
        return "" if np.isnan(cell) else f"{cell:.3f}"
    return str(cell)
