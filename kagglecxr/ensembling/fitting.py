"""Fits an ensemble to out-of-fold predictions: blend, calibration, thresholds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.core.metrics import Metric, Probabilities
from kagglecxr.ensembling.blend_selection import OutOfFold, blend_table, choose_blend
from kagglecxr.ensembling.blends import FittedBlend, WeightedBlend, read_blend
from kagglecxr.ensembling.calibration import Calibration
from kagglecxr.ensembling.ensemble_options import EnsembleOptions
from kagglecxr.ensembling.postprocessing import PostprocessingSearch
from kagglecxr.ensembling.thresholds import apply_class_weights


@dataclass(frozen=True)
class FittedEnsemble:
    """What makes the probabilities of an ensemble of those of its runs.

    Attributes:
        calibration: applied to the blend.
        class_weights: factors of the targets' probabilities, or of the findings' odds, after the
            calibration; empty for none.
    """

    blend: FittedBlend
    calibration: Calibration = field(default_factory=Calibration)
    class_weights: Sequence[float] = field(default_factory=list)

    def __call__(self, runs: Sequence[Probabilities]) -> npt.NDArray[np.float32]:
        """Returns the probabilities (N, targets) for those of the runs, each (N, targets)."""
        probabilities = self.calibration(self.blend(runs))
        if self.class_weights:
            weights = np.asarray(self.class_weights)
            probabilities = apply_class_weights(probabilities, weights, self.blend.activation)
        return np.asarray(probabilities, np.float32)

    @property
    def is_mean(self) -> bool:
        """Whether it is no more than the mean of its runs."""
        is_mean = isinstance(self.blend, WeightedBlend) and self.blend.is_mean
        return is_mean and self.calibration == Calibration() and not self.class_weights


def read_fitted(values: dict[str, Any]) -> FittedEnsemble:
    """Returns the ensemble whose attributes, as JSON has them, these are.

    Raises:
        KeyError, TypeError: they are of no ensemble.
    """
    return FittedEnsemble(
        read_blend(values["blend"]), Calibration(**values["calibration"]), values["class_weights"]
    )


@dataclass(frozen=True)
class EnsembleFit:
    """A fitted ensemble, and how good it is.

    Attributes:
        method: the name of its blend, or "best" for a single run.
        ensemble: takes the runs at `used`.
        used: the positions of the runs that have a part in it.
        probabilities: (N, targets) out-of-fold predictions of each fold by an ensemble fitted on
            the others; its own would be too good, as it is fitted on the same images.
        score: of these.
        apparent: the score of its own.
        table: the scores of runs and blends.
        sentences: what was chosen and why.
    """

    method: str
    ensemble: FittedEnsemble
    used: list[int]
    probabilities: Probabilities
    score: float
    apparent: float
    table: pd.DataFrame
    sentences: list[str]

    def lines(self) -> list[str]:
        """Returns the table, of several runs, and the sentences as lines of text."""
        several = len(self.table) > 1
        table = self.table.to_string(index=False).splitlines() if several else []
        return [*table, *self.sentences]


def fit_ensemble(
    oof: OutOfFold, metric: Metric, options: EnsembleOptions, random: np.random.Generator
) -> EnsembleFit:
    """Fits blend, calibration and thresholds, each judged on folds that it was not fitted on.

    Raises:
        UnknownNameError: there is no such blend.
    """
    chosen = choose_blend(oof, metric, options.blend, random)
    search = PostprocessingSearch(oof.truth, oof.fold, oof.groups, metric, random)
    after = search.choose(chosen.nested.probabilities, chosen.blend(list(oof.runs)), options)
    used = chosen.blend.used
    ensemble = FittedEnsemble(chosen.blend.of_used(), after.calibration, after.class_weights)
    own = ensemble([oof.runs[number] for number in used])
    return EnsembleFit(
        chosen.method,
        ensemble,
        used,
        np.asarray(after.nested, np.float32),
        metric(oof.truth, after.nested),
        metric(oof.truth, own),
        blend_table(chosen, oof, metric),
        [chosen.sentence, *after.sentences],
    )
