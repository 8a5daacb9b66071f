"""Softmax of classes and sigmoid of findings: from scores to probabilities, and back.

What is fitted to predictions works on scores, which may be added and scaled: the logarithms of
probabilities of classes that exclude each other, the log odds of findings.
"""

from abc import ABC, abstractmethod
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import expit, log_expit, log_softmax, softmax

from kagglecxr.core.metrics import Probabilities, Truth
from kagglecxr.inference.predictions import log_odds, log_probabilities

ActivationName: TypeAlias = Literal["softmax", "sigmoid"]
Scores: TypeAlias = npt.NDArray[np.float64]


class Activation(ABC):
    """What makes probabilities (N, targets) of scores (N, targets)."""

    @abstractmethod
    def __call__(self, scores: Scores) -> Scores:
        """Returns the probabilities of scores."""

    @abstractmethod
    def scores(self, probabilities: Probabilities) -> Scores:
        """Returns the scores of probabilities, of which a millionth is the smallest."""

    @abstractmethod
    def log_likelihood(self, scores: Scores, truth: Truth) -> tuple[float, Scores]:
        """Returns the log likelihood of what is true, and its gradient by the scores."""

    @abstractmethod
    def weigh(self, probabilities: Probabilities, weights: Scores) -> Scores:
        """Returns the probabilities with scores raised by the logarithms of weights (targets,)."""

    @abstractmethod
    def of_truth(self, probabilities: Probabilities, truth: Truth) -> Scores:
        """Returns the probability of what is true of each image or, of findings, each cell."""

    @abstractmethod
    def kinds(self, truth: Truth) -> npt.NDArray[np.intp]:
        """Returns (cells,) of which kind each is: a class's, or a finding's with or without it."""

    @abstractmethod
    def of_ranks(self, ranks: Scores) -> Scores:
        """Returns ranks (N, targets) from 0 to 1 as what may stand for probabilities."""


class _Softmax(Activation):
    """Of classes of which each image has one."""

    def __call__(self, scores: Scores) -> Scores:
        return np.asarray(softmax(scores, axis=1), np.float64)

    def scores(self, probabilities: Probabilities) -> Scores:
        return log_probabilities(probabilities)

    def log_likelihood(self, scores: Scores, truth: Truth) -> tuple[float, Scores]:
        one_hot = np.eye(scores.shape[1])[truth]
        logs = log_softmax(scores, axis=1)
        return float((logs * one_hot).sum()), one_hot - np.exp(logs)

    def weigh(self, probabilities: Probabilities, weights: Scores) -> Scores:
        weighted = probabilities * weights
        return np.asarray(weighted / weighted.sum(axis=1, keepdims=True), np.float64)

    def of_truth(self, probabilities: Probabilities, truth: Truth) -> Scores:
        return np.asarray(probabilities[np.arange(len(truth)), truth], np.float64)

    def kinds(self, truth: Truth) -> npt.NDArray[np.intp]:
        return truth.astype(np.intp)

    def of_ranks(self, ranks: Scores) -> Scores:
        # Scaling each row would change the order of images within a target. As they are, those of
        # two targets sum to 1; others are small enough that a log loss is not flattered.
        return ranks / (ranks.shape[1] if ranks.shape[1] > 2 else 1)


class _Sigmoid(Activation):
    """Of findings, of which an image may have several."""

    def __call__(self, scores: Scores) -> Scores:
        return np.asarray(expit(scores), np.float64)

    def scores(self, probabilities: Probabilities) -> Scores:
        return log_odds(probabilities)

    def log_likelihood(self, scores: Scores, truth: Truth) -> tuple[float, Scores]:
        known = ~np.isnan(truth)
        signs = np.where(truth == 1, 1.0, -1.0)
        logs = np.where(known, log_expit(signs * scores), 0.0)
        return float(logs.sum()), np.where(known, signs * expit(-signs * scores), 0.0)

    def weigh(self, probabilities: Probabilities, weights: Scores) -> Scores:
        return self(self.scores(probabilities) + np.log(weights))

    def of_truth(self, probabilities: Probabilities, truth: Truth) -> Scores:
        sure = np.where(truth == 1, probabilities, 1.0 - probabilities)
        return np.asarray(sure[~np.isnan(truth)], np.float64)

    def kinds(self, truth: Truth) -> npt.NDArray[np.intp]:
        kinds = 2 * np.arange(truth.shape[1]) + (truth == 1)
        return np.asarray(kinds[~np.isnan(truth)], np.intp)

    def of_ranks(self, ranks: Scores) -> Scores:
        return ranks


ACTIVATIONS: dict[ActivationName, Activation] = {"softmax": _Softmax(), "sigmoid": _Sigmoid()}


def activation_of(truth: Truth) -> ActivationName:
    """Returns the activation of targets by what is true: ids of classes, or a table of findings."""
    return "sigmoid" if truth.ndim == 2 else "softmax"
