"""Is the class told, or where the image came from? Scores inside of sources and across them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats.contingency import association, crosstab

from kagglecxr.core.intervals import Interval, bootstrap_interval
from kagglecxr.core.metrics import METRICS, confusion_counts, recall_of_targets
from kagglecxr.shortcuts.heads import fit_head, held_out_probabilities, split_patients
from kagglecxr.shortcuts.held_out import Array, AuditedImages, Outputs

FEWEST = 20
"""Images of a source that is looked at by itself."""
BALANCED = METRICS["balanced_accuracy"]


@dataclass(frozen=True)
class SourceTests:
    """What a run knows of sources, and what it is worth in each.

    Attributes:
        told: the balanced accuracy of a head that tells the source by the run's features.
        by_class: that of telling it by the true class alone.
        association: Cramer's V of source and class: 1 where one gives the other away.
        table: `source,images,classes,inside,left_out,seen`: the run's balanced accuracy
            over the classes of a source, and the accuracy of heads on its features that learned
            from no image of the source, and from those of all sources; NaN where no class of it
            is seen elsewhere.
    """

    told: Interval
    by_class: float
    association: float
    table: pd.DataFrame


def measure_sources(
    audited: AuditedImages, outputs: Outputs, seed: int, random: np.random.Generator
) -> SourceTests | None:
    """Measures both, of images whose source is known.

    Args:
        audited: the images.
        outputs: what the run says of them.
        seed: of the splits.
        random: draws the resamples.

    Returns:
        None where fewer than two sources have 20 images, of several patients.
    """
    counts = pd.Series(audited.sources[audited.sources != ""]).value_counts()
    names = sorted(counts.index[counts >= FEWEST])
    if len(names) < 2:
        return None
    rows = np.flatnonzero(np.isin(audited.sources, names))
    source = np.array([names.index(one) for one in audited.sources[rows]], np.intp)
    classes, groups, folds = audited.classes[rows], audited.groups[rows], audited.folds[rows]
    features, probabilities = outputs.features[rows], outputs.probabilities[rows]
    own = {"own": features}
    split = split_patients(source, groups, folds, seed)
    told = held_out_probabilities(features, own, source, folds, split, len(names))["own"]
    class_columns = np.eye(probabilities.shape[1], dtype=np.float32)[classes]
    only = {"class": class_columns}
    by_class = held_out_probabilities(class_columns, only, source, folds, split, len(names))
    of_class = split_patients(classes, groups, folds, seed)
    seen = held_out_probabilities(features, own, classes, folds, of_class, probabilities.shape[1])[
        "own"
    ]
    can = split >= 0
    if not can.any():
        return None
    left_out = _without_each_source(features, classes, source, folds)
    lines = []
    for number, name in enumerate(names):
        here = source == number
        known = here & (left_out >= 0) & (of_class >= 0)
        recalls = recall_of_targets(confusion_counts(classes[here], probabilities[here]))
        present = np.unique(classes[here])
        lines.append(
            {
                "source": name,
                "images": int(here.sum()),
                "classes": len(present),
                "inside": float(recalls[present].mean()),
                "left_out": _mean(left_out[known] == classes[known]),
                "seen": _mean(seen[known].argmax(axis=1) == classes[known]),
            }
        )
    return SourceTests(
        bootstrap_interval(BALANCED, source[can], told[can], groups[can], random),
        BALANCED(source[can], by_class["class"][can]),
        float(association(crosstab(source, classes).count)),
        pd.DataFrame(lines),
    )


def _without_each_source(
    features: Array,
    classes: npt.NDArray[np.intp],
    source: npt.NDArray[np.intp],
    folds: npt.NDArray[np.intp],
) -> npt.NDArray[np.intp]:
    """(N,) the class by heads that saw no image of the source; -1 where they do not know it."""
    predicted = np.full(len(classes), -1, np.intp)
    for fold in np.unique(folds):
        for left_out in np.unique(source):
            train = np.flatnonzero((folds == fold) & (source != left_out))
            known = np.unique(classes[train])
            test = np.flatnonzero((folds == fold) & (source == left_out) & np.isin(classes, known))
            if len(known) > 1 and len(test):
                head = fit_head(features[train], classes[train])
                predicted[test] = head.predict(features[test])
    return predicted


def recall_by(
    columns: Mapping[str, npt.NDArray[np.object_]],
    classes: npt.NDArray[np.intp],
    probabilities: Array,
    targets: list[str],
) -> pd.DataFrame:
    """Returns the recall of each class among the images of each source, view, age or sex.

    Args:
        columns: (N,) text by what it is; empty where unknown.
        classes: (N,).
        probabilities: (N, classes).
        targets: names of the classes.

    Returns:
        `by,value,class,images,recall`, of parts of at least 20 images, where there are several.
    """
    right = probabilities.argmax(axis=1) == classes
    lines = []
    for name, values in columns.items():
        known = pd.Series(values[values != ""]).value_counts()
        if len(known) < 2:
            continue
        for value in sorted(known.index[known >= FEWEST]):
            for number, target in enumerate(targets):
                here = (values == value) & (classes == number)
                if here.any():
                    lines.append((name, value, target, int(here.sum()), float(right[here].mean())))
    return pd.DataFrame(lines, columns=["by", "value", "class", "images", "recall"])


def _mean(values: npt.NDArray[np.bool_]) -> float:
    return float(values.mean()) if len(values) else float("nan")
