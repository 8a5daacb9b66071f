"""Calibration and thresholds of a blend, each taken only where it helps out of fold."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from kagglecxr.core.finding_metrics import FINDING_METRICS
from kagglecxr.core.metrics import METRICS, Metric, Probabilities, Truth
from kagglecxr.core.paired_tests import PairedComparison, compare_paired
from kagglecxr.ensembling.activations import activation_of
from kagglecxr.ensembling.calibration import (
    CALIBRATIONS,
    Calibration,
    CalibrationMethod,
    cross_fit,
    fit_calibration,
)
from kagglecxr.ensembling.ensemble_options import EnsembleOptions
from kagglecxr.ensembling.thresholds import apply_class_weights, fit_thresholds, fit_weights

RESAMPLES = 1000
"""For the interval of each gain."""


@dataclass(frozen=True)
class Postprocessing:
    """What is done with the probabilities of a blend.

    Attributes:
        class_weights: factors of the targets' probabilities, or of findings' odds; empty for none.
        nested: (N, targets) out-of-fold probabilities after both, each fitted on other folds.
        sentences: what was tried and what it gained.
    """

    calibration: Calibration
    class_weights: Sequence[float]
    nested: Probabilities
    sentences: list[str]


@dataclass(frozen=True)
class PostprocessingSearch:
    """Fits calibration and thresholds, and judges each on folds that it was not fitted on.

    Attributes:
        truth: (N,) target ids; of findings (N, targets).
        fold: (N,) int, no group in two.
        groups: (N,) the group of each image.
        metric: of the competition; thresholds are fitted to it.
    """

    truth: Truth
    fold: npt.NDArray[np.intp]
    groups: npt.NDArray[np.object_]
    metric: Metric
    random: np.random.Generator

    def choose(
        self, nested: Probabilities, fitted: Probabilities, options: EnsembleOptions
    ) -> Postprocessing:
        """Chooses calibration and thresholds and fits them.

        Args:
            nested: (N, targets), each fold's by a blend fitted on the others: to judge.
            fitted: (N, targets), by the blend fitted on all: to fit what new images get.
            options: what is wanted; "auto" takes only what gains more than luck.
        """
        method, nested, sentences = self._choose_calibration(nested, options)
        calibration = fit_calibration(method, fitted, self.truth)
        class_weights: Sequence[float] = []
        if options.thresholds != "none" and not self.metric.needs_probabilities:
            class_weights, nested, sentence = self._choose_thresholds(
                nested, calibration(fitted), options
            )
            sentences.append(sentence)
        elif options.thresholds == "fitted":
            sentences.append(
                f"Thresholds are not fitted: {self.metric.title} scores probabilities, which none "
                "of them changes."
            )
        return Postprocessing(calibration, class_weights, nested, sentences)

    def _choose_calibration(
        self, nested: Probabilities, options: EnsembleOptions
    ) -> tuple[CalibrationMethod, Probabilities, list[str]]:
        """The method, the nested probabilities with it, and what each method gained."""
        best: tuple[CalibrationMethod, Probabilities] = "none", nested
        metrics = FINDING_METRICS if self.truth.ndim == 2 else METRICS
        log_loss, sentences = metrics["log_loss"], []
        for method in CALIBRATIONS:
            if method == "none" or options.calibrate not in ("auto", method):
                continue
            changed = cross_fit(partial(fit_calibration, method), nested, self.truth, self.fold)
            compared = self._compare(log_loss, changed, nested)
            # Vector scaling learns how frequent the targets are, which costs the rare ones.
            cost = self.metric.gain(
                self.metric(self.truth, nested), self.metric(self.truth, changed)
            )
            is_taken = options.calibrate == method or (
                compared.verdict == "better"
                and cost <= 0
                and log_loss(self.truth, changed) < log_loss(self.truth, best[1])
            )
            best = (method, changed) if is_taken else best
            sentences.append(_sentence(f"{method.capitalize()} scaling", compared))
            if cost > 0:
                sentences[-1] += f" It costs {cost:.4f} {self.metric.title}."
        used = f"{best[0]} scaling" if best[0] != "none" else "no scaling"
        return *best, [*sentences, f"Calibration: {used} is used."] if sentences else []

    def _choose_thresholds(
        self, nested: Probabilities, fitted: Probabilities, options: EnsembleOptions
    ) -> tuple[Sequence[float], Probabilities, str]:
        """The class weights, the nested probabilities with them, and what they gained."""
        changed = cross_fit(partial(fit_thresholds, self.metric), nested, self.truth, self.fold)
        compared = self._compare(self.metric, changed, nested)
        weights = fit_weights(self.metric, fitted, self.truth)
        weighted = apply_class_weights(fitted, weights, activation_of(self.truth))
        apparent = self.metric.gain(
            self.metric(self.truth, weighted), self.metric(self.truth, fitted)
        )
        is_taken = options.thresholds == "fitted" or compared.verdict == "better"
        sentence = (
            f"{_sentence('Thresholds', compared)} On the images they are fitted on they "
            f"gain {apparent:+.4f}; the rest of that is luck. They are "
            f"{'' if is_taken else 'not '}used."
        )
        if not is_taken:
            return [], nested, sentence
        return [float(weight) for weight in weights], changed, sentence

    def _compare(
        self, metric: Metric, after: Probabilities, before: Probabilities
    ) -> PairedComparison:
        return compare_paired(
            metric, self.truth, after, before, self.groups, self.random, RESAMPLES
        )


def _sentence(what: str, compared: PairedComparison) -> str:
    gain = compared.gain
    return (
        f"{what}: out-of-fold {compared.metric.title} {compared.a:.4f} after {compared.b:.4f} "
        f"(gain {gain.score:+.4f}, 95 % interval {gain.low:+.4f} to {gain.high:+.4f}): "
        f"{compared.luck}."
    )
