"""Fitted blends: what makes one array of probabilities of those of several runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from kagglecxr.core.metrics import Probabilities
from kagglecxr.ensembling.activations import ACTIVATIONS, ActivationName

Runs = npt.NDArray[np.float64]
"""(runs, images, targets) probabilities of the same images."""


@dataclass(frozen=True)
class WeightedBlend:
    """The weighted mean of probabilities, of their scores, or of their ranks.

    The ranks are those among the predictions it was fitted on, so that a single image has one too.
    Means of scores are made probabilities by the activation. Those of ranks are not, since that
    would change the order of images within a target.

    Attributes:
        weights: of each run, not negative, with the sum 1.
        scale: what is averaged.
        quantiles: (runs, targets, n) the quantiles from 0 to 1 of each column, for ranks.
        activation: "softmax" of classes, whose scores are logarithms; "sigmoid" of findings, whose
            scores are log odds.
    """

    weights: Sequence[float]
    scale: Literal["probability", "logit", "rank"] = "probability"
    quantiles: Sequence[Sequence[Sequence[float]]] = field(default_factory=list)
    activation: ActivationName = "softmax"

    def __call__(self, runs: Sequence[Probabilities]) -> npt.NDArray[np.float32]:
        """Returns the blend (N, targets) of the runs, each (N, targets), in the order fitted."""
        given = [np.asarray(run, np.float64) for run in runs]
        activation = ACTIVATIONS[self.activation]
        if self.scale == "logit":
            given = [activation.scores(run) for run in given]
        elif self.scale == "rank":
            pairs = zip(given, self.quantiles, strict=True)
            given = [_ranks(run, np.asarray(quantiles)) for run, quantiles in pairs]
        mean = np.einsum("r,rnk->nk", np.asarray(self.weights), np.stack(given))
        if self.scale == "logit":
            mean = activation(mean)
        elif self.scale == "rank":
            mean = activation.of_ranks(mean)
        return np.asarray(mean, np.float32)

    @property
    def used(self) -> list[int]:
        """The positions of the runs that have a part in it."""
        return [number for number, weight in enumerate(self.weights) if weight > 0]

    def of_used(self) -> "WeightedBlend":
        """Returns the blend that takes those runs alone."""
        quantiles = [self.quantiles[number] for number in self.used if self.quantiles]
        weights = [self.weights[number] for number in self.used]
        return WeightedBlend(weights, self.scale, quantiles, self.activation)

    @property
    def is_mean(self) -> bool:
        """Whether it is the plain mean of the probabilities."""
        return self.scale == "probability" and len(set(self.weights)) == 1


@dataclass(frozen=True)
class StackedBlend:
    """A logistic regression on the scores of the runs' probabilities (Wolpert 1992).

    Attributes:
        coefficients: (targets, runs x targets).
        intercepts: (targets,).
        activation: "softmax" of classes, "sigmoid" of findings.
    """

    coefficients: Sequence[Sequence[float]]
    intercepts: Sequence[float]
    activation: ActivationName = "softmax"

    def __call__(self, runs: Sequence[Probabilities]) -> npt.NDArray[np.float32]:
        """Returns the blend (N, targets) of the runs, each (N, targets), in the order fitted."""
        activation = ACTIVATIONS[self.activation]
        features = np.concatenate([activation.scores(run) for run in runs], axis=1)
        scores = features @ np.asarray(self.coefficients).T + np.asarray(self.intercepts)
        return np.asarray(activation(scores), np.float32)

    @property
    def used(self) -> list[int]:
        """The positions of the runs that have a part in it."""
        targets = len(self.intercepts)
        return list(range(len(self.coefficients[0]) // targets))

    def of_used(self) -> "StackedBlend":
        """Returns itself, as it takes all runs."""
        return self


FittedBlend: TypeAlias = WeightedBlend | StackedBlend


def read_blend(values: dict[str, Any]) -> FittedBlend:
    """Returns the blend whose attributes, as JSON has them, these are.

    Raises:
        TypeError: they are of no blend.
    """
    return WeightedBlend(**values) if "weights" in values else StackedBlend(**values)


def equal_blend(
    runs: int,
    activation: ActivationName = "softmax",
    scale: Literal["probability", "logit"] = "probability",
) -> WeightedBlend:
    """Returns the mean of so many runs."""
    return WeightedBlend([1.0 / runs] * runs, scale, activation=activation)


def single_blend(runs: int, position: int, activation: ActivationName = "softmax") -> WeightedBlend:
    """Returns the blend that is one of so many runs alone."""
    weights = [float(number == position) for number in range(runs)]
    return WeightedBlend(weights, activation=activation)


def column_quantiles(runs: Runs, steps: int = 200) -> list[list[list[float]]]:
    """Returns (runs, targets, steps + 1) quantiles of the columns of each run."""
    quantiles = np.quantile(runs, np.linspace(0.0, 1.0, steps + 1), axis=1)
    return [[[float(q) for q in column] for column in run.T] for run in quantiles.swapaxes(0, 1)]


def _ranks(run: Probabilities, quantiles: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The share of the fitted predictions below each one, ties counted half."""
    steps = quantiles.shape[1]
    columns = [
        (np.searchsorted(q, column, "left") + np.searchsorted(q, column, "right")) / (2.0 * steps)
        for column, q in zip(run.T, quantiles, strict=True)
    ]
    return np.stack(columns, axis=1)
