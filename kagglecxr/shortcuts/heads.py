"""Classifiers on the features of a run's folds, trained and asked inside of a fold each."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline as Estimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from kagglecxr.core.metrics import Truth
from kagglecxr.data.folds import make_folds
from kagglecxr.shortcuts.held_out import Array, AuditedImages
from kagglecxr.shortcuts.problems import (
    Cells,
    Numbers,
    are_findings,
    class_ids,
    join_probabilities,
)

SPLITS = 5
COMPONENTS = 50
FEWEST = 20
"""Patients with a finding, and without it, of a finding that is audited."""
STRENGTH = 0.1
"""The inverse of a head's penalty: features are many more than images."""


def split_patients(
    classes: Numbers, groups: npt.NDArray[np.object_], folds: Numbers, seed: int
) -> Numbers:
    """Splits the images of each fold by patient, so that heads are asked about others than theirs.

    Args:
        classes: (N,), -1 where it is not known.
        groups: (N,) the patients.
        folds: (N,) whose features an image has.
        seed: of the splits.

    Returns:
        (N,) the split of each image in its fold; -1 of unknown classes, of those with a single
        patient in a fold, and of folds with a single class: heads cannot be asked about these.
    """
    split = np.full(len(classes), -1, np.intp)
    for fold in np.unique(folds):
        rows = np.flatnonzero((folds == fold) & (classes >= 0))
        patients = pd.Series(groups[rows]).groupby(classes[rows]).nunique()
        several = patients[patients > 1]
        if len(several) < 2:
            continue
        rows = rows[np.isin(classes[rows], several.index)]
        names, parts = [str(one) for one in classes[rows]], min(SPLITS, int(several.min()))
        split[rows] = make_folds(names, list(groups[rows]), [""] * len(names), parts, seed)
    return split


def split_problems(
    truth: Truth, groups: npt.NDArray[np.object_], folds: Numbers, seed: int
) -> list[Numbers]:
    """Returns the split of each problem, see `split_patients`."""
    return [split_patients(classes, groups, folds, seed) for classes in class_ids(truth)]


def comparable_cells(audited: AuditedImages, seed: int) -> Cells:
    """Returns (N, problems) whether an image's lungs and label are known and heads can be asked.

    So what heads tell, what the run tells and what changes with the background are of the same
    images and classes. A finding needs `FEWEST` patients with it and as many without: intervals of
    fewer are much too narrow (benchmarks/heads_on_noise.py).
    """
    known = np.flatnonzero(audited.have_lungs)
    some = audited.take(known)
    cells = np.zeros((len(audited.ids), len(class_ids(audited.classes))), np.bool_)
    splits = split_problems(some.classes, some.groups, some.folds, seed)
    cells[known] = np.stack(splits, axis=1) >= 0
    if are_findings(audited.classes):
        for number, truth in enumerate(audited.classes.T):
            kinds = [audited.groups[cells[:, number] & (truth == label)] for label in (0, 1)]
            cells[:, number] &= min(len(np.unique(patients)) for patients in kinds) >= FEWEST
    return cells


def comparable_rows(audited: AuditedImages, seed: int) -> Numbers:
    """Returns the rows of images of which any label is comparable."""
    return np.flatnonzero(comparable_cells(audited, seed).any(axis=1))


def held_out_targets(
    learned: Array,
    shown: Mapping[str, Array],
    truth: Truth,
    folds: Numbers,
    splits: Sequence[Numbers],
    targets: int,
) -> dict[str, Array]:
    """Trains heads of each problem as `held_out_probabilities`: of findings one each, against rest.

    Returns:
        (N, targets) by the name of what was shown; NaN of images without a split in a problem.
    """
    count = 2 if are_findings(truth) else targets
    of_problems = [
        held_out_probabilities(learned, shown, classes, folds, split, count)
        for classes, split in zip(class_ids(truth), splits, strict=True)
    ]
    return {name: join_probabilities(truth, [one[name] for one in of_problems]) for name in shown}


def held_out_probabilities(
    learned: Array,
    shown: Mapping[str, Array],
    classes: Numbers,
    folds: Numbers,
    split: Numbers,
    count: int,
) -> dict[str, Array]:
    """Trains heads on some features and shows them others of images that they did not learn from.

    Args:
        learned: (N, channels).
        shown: (N, channels) by name.
        classes: (N,) below `count`.
        folds: (N,) whose features an image has; those of two folds cannot be compared.
        split: (N,), see `split_patients`.
        count: the number of classes.

    Returns:
        (N, count) by the name of what was shown; NaN of images without a split.
    """
    found = {name: np.full((len(classes), count), np.nan, np.float32) for name in shown}
    for fold in np.unique(folds):
        rows = np.flatnonzero((folds == fold) & (split >= 0))
        for part in np.unique(split[rows]):
            train, test = rows[split[rows] != part], rows[split[rows] == part]
            head = fit_head(learned[train], classes[train])
            for name, features in shown.items():
                found[name][test] = 0
                found[name][np.ix_(test, head.classes_)] = head.predict_proba(features[test])
    return found


def fit_head(features: Array, classes: Numbers) -> Estimator:
    """Fits a classifier of features: standardised, their principal directions, and a logistic.

    Classes weigh the same, however many images they have. Of features that are all the same, as of
    black images, it guesses.
    """
    if not np.ptp(features, axis=0).any():
        return DummyClassifier(strategy="uniform").fit(features, classes)
    head = make_pipeline(
        StandardScaler(),
        PCA(min(COMPONENTS, *features.shape), random_state=0),
        LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=2000),
    )
    # Threads of so small products wait for one another, on a busy machine a hundred times as long.
    with threadpool_limits(1):
        return head.fit(features, classes)
