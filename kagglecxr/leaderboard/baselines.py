"""Baselines: simple predictions that a submission has to beat on the rehearsal leaderboard.

To add one, write its function here and register it under the name that the leaderboard shows.
"""

from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kagglecxr.core.registry import Registry
from kagglecxr.data.images.image_array import each_image
from kagglecxr.data.prepared import PreparedData

THUMBNAIL_SIZE = 24

Probabilities: TypeAlias = npt.NDArray[np.float64]
Baseline: TypeAlias = Callable[[PreparedData], Probabilities]
BASELINES = Registry[Baseline]("baseline")


def baseline_predictions(prepared: PreparedData) -> dict[str, Probabilities]:
    """Returns the (n_test, n_targets) probabilities of each baseline, by name."""
    return {name: BASELINES[name](prepared) for name in BASELINES.names()}


@BASELINES.add_as("majority class")
def majority_class(prepared: PreparedData) -> Probabilities:
    """Predicts the most frequent target everywhere, or each finding with its share of images."""
    if prepared.competition.classes.multilabel:
        shares = np.nanmean(prepared.findings(), axis=0, dtype=np.float64)
        return np.tile(np.nan_to_num(shares), (len(prepared.index.rows("test")), 1))
    targets = len(prepared.competition.targets())
    most_frequent = np.bincount(prepared.target_ids(), minlength=targets).argmax()
    return np.tile(np.eye(targets)[most_frequent], (len(prepared.index.rows("test")), 1))


@BASELINES.add_as("pixel logistic regression")
def pixel_logistic_regression(prepared: PreparedData) -> Probabilities:
    """Logistic regression on 24x24 gray pixels, targets weighted alike; one for each finding."""
    train, test = _thumbnails(prepared, "train"), _thumbnails(prepared, "test")
    if not prepared.competition.classes.multilabel:
        return _regression(train, prepared.target_ids(), test)
    columns = []
    for truth in prepared.findings().T:
        known = ~np.isnan(truth)
        kinds = np.unique(truth[known])
        # Of a finding that all images have, or none, there is nothing to learn.
        column = np.full(len(test), kinds[0] if len(kinds) else 0.0)
        if len(kinds) == 2:
            column = _regression(train[known], truth[known], test)[:, 1]
        columns.append(column)
    return np.stack(columns, axis=1)


def _regression(
    train: npt.NDArray[np.float32], truth: npt.NDArray[np.generic], test: npt.NDArray[np.float32]
) -> Probabilities:
    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced", max_iter=1000)
    )
    model.fit(train, truth)
    probabilities: Probabilities = model.predict_proba(test)
    return probabilities


def _thumbnails(prepared: PreparedData, split: str) -> npt.NDArray[np.float32]:
    rows = prepared.index.rows(split)
    size = (THUMBNAIL_SIZE, THUMBNAIL_SIZE)
    images = each_image(prepared.cache.images, rows)
    small = [cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images]
    return np.stack(small).reshape(len(rows), -1).astype(np.float32)
