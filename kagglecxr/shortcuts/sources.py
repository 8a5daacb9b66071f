"""Is the class told, or where the image came from? Scores inside of sources and across them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats.contingency import association, crosstab

from kagglecxr.core.finding_metrics import FINDING_METRICS
from kagglecxr.core.intervals import Interval, bootstrap_interval
from kagglecxr.core.metrics import METRICS, Truth
from kagglecxr.shortcuts.heads import (
    fit_head,
    held_out_probabilities,
    held_out_targets,
    split_patients,
    split_problems,
)
from kagglecxr.shortcuts.held_out import Array, AuditedImages, Outputs
from kagglecxr.shortcuts.problems import (
    Cells,
    Numbers,
    are_findings,
    class_ids,
    images_of_targets,
    join_probabilities,
    keep_cells,
    mean_known,
    scores_of_targets,
    target_table,
)

FEWEST = 20
"""Images of a source that is looked at by itself."""
BALANCED = METRICS["balanced_accuracy"]


@dataclass(frozen=True)
class SourceTests:
    """What a run knows of sources, and what it is worth in each.

    Attributes:
        told: the balanced accuracy of a head that tells the source by the run's features.
        by_class: that of telling it by the true class, or findings, alone.
        associations: (problems,) Cramer's V of source and class, or of source and each finding: 1
            where one gives the other away, NaN of a finding that all known images have, or none.
        table: `source,images,classes,inside,left_out,seen`: the run's balanced accuracy
            over the classes of a source, and the accuracy of heads on its features that learned
            from no image of the source, and from those of all sources; NaN where no class of it
            is seen elsewhere. Of findings all three are mean AUCs over those that some of its
            images have and some have not, which `classes` counts.
    """

    told: Interval
    by_class: float
    associations: npt.NDArray[np.float64]
    table: pd.DataFrame

    @property
    def association(self) -> float:
        """The largest of the associations."""
        return float(np.nanmax(self.associations))


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
    truth, groups, folds = audited.classes[rows], audited.groups[rows], audited.folds[rows]
    features, probabilities = outputs.features[rows], outputs.probabilities[rows]
    own, targets = {"own": features}, probabilities.shape[1]
    split = split_patients(source, groups, folds, seed)
    can = split >= 0
    if not can.any():
        return None
    told = held_out_probabilities(features, own, source, folds, split, len(names))["own"]
    columns = target_table(truth)
    only = {"class": columns}
    by_class = held_out_probabilities(columns, only, source, folds, split, len(names))["class"]
    splits = split_problems(truth, groups, folds, seed)
    seen = held_out_targets(features, own, truth, folds, splits, targets)["own"]
    left_out, is_known = _without_each_source(features, truth, source, folds, targets)
    both = is_known & (np.stack(splits, axis=1) >= 0)
    lines = []
    for number, name in enumerate(names):
        here = source == number
        scores = scores_of_targets(truth[here], probabilities[here])
        lines.append(
            {
                "source": name,
                "images": int(here.sum()),
                "classes": int((~np.isnan(scores)).sum()),
                "inside": mean_known(scores),
                "left_out": _score(truth[here], left_out[here], both[here]),
                "seen": _score(truth[here], seen[here], both[here]),
            }
        )
    return SourceTests(
        bootstrap_interval(BALANCED, source[can], told[can], groups[can], random),
        BALANCED(source[can], by_class[can]),
        np.array([_association(source, classes) for classes in class_ids(truth)]),
        pd.DataFrame(lines),
    )


def _association(source: Numbers, classes: Numbers) -> float:
    """Cramer's V of those whose class is known."""
    counts = crosstab(source[classes >= 0], classes[classes >= 0]).count
    return float(association(counts)) if min(counts.shape) > 1 else float("nan")


def _score(truth: Truth, probabilities: Array, cells: Cells) -> float:
    """The accuracy of images, or the mean AUC of findings, of cells (N, problems) alone."""
    if are_findings(truth):
        return FINDING_METRICS["mean_auc"](keep_cells(truth, cells), probabilities)
    rows = cells[:, 0]
    return METRICS["accuracy"](truth[rows], probabilities[rows]) if rows.any() else float("nan")


def _without_each_source(
    features: Array, truth: Truth, source: Numbers, folds: Numbers, targets: int
) -> tuple[Array, Cells]:
    """(N, targets) by heads that saw no image of the source, (N, problems) where they know it."""
    count = 2 if are_findings(truth) else targets
    found, known = [], []
    for classes in class_ids(truth):
        probabilities, is_known = np.zeros((len(classes), count)), np.zeros(len(classes), np.bool_)
        for fold, left_out in np.unique(np.stack([folds, source], axis=1), axis=0):
            learned = (folds == fold) & (source != left_out) & (classes >= 0)
            seen = np.unique(classes[learned])
            test = (folds == fold) & (source == left_out) & np.isin(classes, seen)
            if len(seen) > 1 and test.any():
                head = fit_head(features[learned], classes[learned])
                rows = np.flatnonzero(test)
                probabilities[np.ix_(rows, head.classes_)] = head.predict_proba(features[rows])
                is_known |= test
        found.append(probabilities)
        known.append(is_known)
    return join_probabilities(truth, found), np.stack(known, axis=1)


def scores_by(
    columns: Mapping[str, npt.NDArray[np.object_]],
    truth: Truth,
    probabilities: Array,
    targets: list[str],
) -> pd.DataFrame:
    """Returns the score of each target among the images of each source, view, age or sex.

    Args:
        columns: (N,) text by what it is; empty where unknown.
        truth: of the images.
        probabilities: (N, targets).
        targets: names of the classes, or findings.

    Returns:
        `by,value,class,images,recall`, of parts of at least 20 images, where there are several; of
        findings `by,value,finding,images,auc`, of those that some images of a part have and some
        have not. `images` are those of the class, or with the finding.
    """
    names = ["finding", "images", "auc"] if are_findings(truth) else ["class", "images", "recall"]
    lines = []
    for name, value, is_part in _parts(columns):
        scores = scores_of_targets(truth[is_part], probabilities[is_part]).tolist()
        images = images_of_targets(truth[is_part], len(targets))
        every = zip(targets, images, scores, strict=True)
        lines += [(name, value, *one) for one in every if not np.isnan(one[-1])]
    return pd.DataFrame(lines, columns=["by", "value", *names])


def _parts(
    columns: Mapping[str, npt.NDArray[np.object_]],
) -> Iterator[tuple[str, str, npt.NDArray[np.bool_]]]:
    """The column, the value and (N,) which images have it, of values that enough of them have."""
    for name, values in columns.items():
        known = pd.Series(values[values != ""]).value_counts()
        if len(known) > 1:
            for value in sorted(known.index[known >= FEWEST]):
                yield name, value, values == value
