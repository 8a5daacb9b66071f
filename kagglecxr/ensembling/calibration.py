"""Calibration: probabilities that are right as often as they say, and how far they are from it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import minimize
from sklearn.model_selection import LeaveOneGroupOut

from kagglecxr.core.metrics import Labels, Probabilities, Truth
from kagglecxr.ensembling.activations import ACTIVATIONS, ActivationName, activation_of

CalibrationMethod: TypeAlias = Literal["none", "temperature", "vector"]
CALIBRATIONS: tuple[CalibrationMethod, ...] = ("none", "temperature", "vector")

Transform: TypeAlias = Callable[[Probabilities], npt.NDArray[np.float32]]
"""Changes probabilities (N, targets), row by row."""

_SMALLEST_SCALE = 0.01
"""A temperature of 100. A negative scale would turn the order of the targets round."""


@dataclass(frozen=True)
class Calibration:
    """Scales the scores of probabilities: softmax(scale * log p + bias) of classes.

    Of findings it is sigmoid(scale * log(p / (1 - p)) + bias), each by itself (Platt 1999).

    Attributes:
        method: "none" changes nothing; "temperature" has equal scales, 1 / T, and no bias (Guo et
            al. 2017, equation 9); "vector" is free in all of them (section 4.2 there).
        scale: of each target, or empty for "none".
        bias: of each target, or empty for "none".
        activation: "softmax" of classes, "sigmoid" of findings.
    """

    method: CalibrationMethod = "none"
    scale: Sequence[float] = field(default_factory=list)
    bias: Sequence[float] = field(default_factory=list)
    activation: ActivationName = "softmax"

    def __call__(self, probabilities: Probabilities) -> npt.NDArray[np.float32]:
        """Returns the calibrated probabilities (N, targets)."""
        if self.is_identity:
            return np.asarray(probabilities, np.float32)
        activation = ACTIVATIONS[self.activation]
        scores = np.asarray(self.scale) * activation.scores(probabilities) + np.asarray(self.bias)
        return np.asarray(activation(scores), np.float32)

    @property
    def is_identity(self) -> bool:
        """Whether it changes nothing."""
        return self.method == "none"


def fit_calibration(
    method: CalibrationMethod, probabilities: Probabilities, truth: Truth
) -> Calibration:
    """Fits a calibration to probabilities (N, targets) of images of which this is true.

    The log loss is minimised with a Gaussian prior of standard deviation 1 around the identity,
    which weighs as much as a few images.
    """
    if method == "none":
        return Calibration()
    name = activation_of(truth)
    activation = ACTIVATIONS[name]
    scores = activation.scores(probabilities)
    images, targets = scores.shape
    identity = np.repeat([1.0, 0.0], targets)
    # How what is fitted changes (scale, bias): each value by itself, or all scales alike.
    basis = np.eye(2 * targets) if method == "vector" else 1.0 * (identity[:, np.newaxis] == 1.0)
    bounds = [(_SMALLEST_SCALE - 1.0, None) if column @ identity else (None, None)
              for column in basis.T]  # fmt: skip

    # Without the prior, data that are separable, or have no image of a target, would send the
    # scale or the bias to infinity, and one wrong image elsewhere would then cost without bound.
    def objective(change: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        scale, bias = np.split(identity + basis @ change, 2)
        likelihood, by_scores = activation.log_likelihood(scale * scores + bias, truth)
        slope = -np.concatenate([(by_scores * scores).sum(axis=0), by_scores.sum(axis=0)])
        loss = change @ change / 2.0 - likelihood
        return loss / images, (basis.T @ slope + change) / images

    found = minimize(
        objective, np.zeros(basis.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds,
        options={"ftol": 1e-12, "gtol": 1e-8},
    )  # fmt: skip
    values = [float(value) for value in identity + basis @ found.x]
    return Calibration(method, values[:targets], values[targets:], name)


def expected_calibration_error(
    probabilities: Probabilities, truth: Labels, bins: int = 15
) -> float:
    """The mean distance of confidence and accuracy in bins of confidence (Guo et al. 2017, eq. 3).

    Confidence is the probability of the predicted target; bins are equally wide.
    """
    table = reliability_table(probabilities, truth, bins)
    distance = np.abs(table["accuracy"] - table["confidence"])
    return float(np.average(distance, weights=table["images"]))


def reliability_table(probabilities: Probabilities, truth: Labels, bins: int = 15) -> pd.DataFrame:
    """Returns a line for each bin of confidence, low < confidence <= high, that has images.

    Columns are low, high, images, and the bin's mean confidence and accuracy.
    """
    edges = np.linspace(0.0, 1.0, bins + 1)
    confidence = probabilities.max(axis=1).astype(np.float64)
    is_right = probabilities.argmax(axis=1) == truth
    rows = pd.DataFrame({"confidence": confidence, "accuracy": is_right.astype(np.float64)})
    of_bin = rows.groupby(np.searchsorted(edges[1:-1], confidence))
    table = of_bin.mean()
    table.insert(0, "images", of_bin.size())
    table.insert(0, "high", edges[table.index + 1])
    table.insert(0, "low", edges[table.index])
    return table.reset_index(drop=True)


def cross_fit(
    fit: Callable[[Probabilities, Truth], Transform],
    probabilities: Probabilities,
    truth: Truth,
    folds: npt.NDArray[np.integer],
) -> npt.NDArray[np.float32]:
    """Returns the probabilities of each fold, changed as fitted on all other folds.

    Raises:
        ValueError: there are not two folds.
    """
    changed = np.empty(probabilities.shape, np.float32)
    for others, own in LeaveOneGroupOut().split(probabilities, groups=folds):
        changed[own] = fit(probabilities[others], truth[others])(probabilities[own])
    return changed
