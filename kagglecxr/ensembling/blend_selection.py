"""Judges blends by nested cross-validation and chooses one, or the best single run."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.core.intervals import Interval
from kagglecxr.core.metrics import Metric, Probabilities, Truth
from kagglecxr.core.paired_tests import PairedComparison, compare_paired
from kagglecxr.ensembling.activations import activation_of
from kagglecxr.ensembling.blenders import BLENDERS
from kagglecxr.ensembling.blends import FittedBlend, Runs, single_blend
from kagglecxr.ensembling.ensemble_options import AUTO

BEST, SIMPLEST = "best", "mean"
"""The best single run; the blend without parameters."""
RESAMPLES = 500
"""For the interval of each method's gain."""


@dataclass(frozen=True)
class OutOfFold:
    """Out-of-fold predictions of several runs on the same images.

    Attributes:
        names: of the runs.
        runs: (runs, N, targets) probabilities.
        truth: (N,) target ids; of findings (N, targets), 1, 0 or, not known, NaN.
        fold: (N,) int, for nested cross-validation; no group is in two.
        groups: (N,) the group of each image.
    """

    names: Sequence[str]
    runs: Runs
    truth: Truth
    fold: npt.NDArray[np.intp]
    groups: npt.NDArray[np.object_]

    def scores(self, metric: Metric) -> list[float]:
        """Returns the score of each run alone."""
        return [metric(self.truth, run) for run in self.runs]

    def best(self, metric: Metric) -> int:
        """Returns the position of the run with the best score."""
        return int(np.argmax([metric.gain(score, 0.0) for score in self.scores(metric)]))


@dataclass(frozen=True)
class BlendScore:
    """How a method of blending does on images that it was not fitted on.

    Attributes:
        comparison: with the best single run.
        probabilities: (N, targets), nested: of each fold by the blend fitted on the others.
    """

    method: str
    comparison: PairedComparison
    probabilities: Probabilities

    @property
    def score(self) -> float:
        """The score of the probabilities."""
        return self.comparison.a

    @property
    def gain(self) -> Interval:
        """The gain over the best single run, with its interval; positive is better."""
        return self.comparison.gain


@dataclass(frozen=True)
class ChosenBlend:
    """The blend that was chosen.

    Attributes:
        method: its name, or "best" for a single run.
        blend: fitted on all images.
        judged: every method that was tried, best first.
        nested: the score and gain of the way it was chosen, the choice itself nested too.
        sentence: why it was chosen.
    """

    method: str
    blend: FittedBlend
    judged: list[BlendScore]
    nested: BlendScore
    sentence: str


def choose_blend(
    oof: OutOfFold, metric: Metric, method: str, random: np.random.Generator
) -> ChosenBlend:
    """Fits the method named, or with "auto" the one that nested scores speak for.

    That is the mean, or the method with the best nested score where it beats the mean by more than
    the standard error of its gain over the folds: of several lucky methods the simplest is to be
    preferred (the one-standard-error rule, Breiman et al. 1984, section 3.4.3). A blend that does
    not beat the best single run out of fold is not chosen; that run is itself chosen on these
    images, which favours it.

    Raises:
        UnknownNameError: there is no such method.
    """
    if method not in (AUTO, BEST):
        BLENDERS[method]
    best = oof.best(metric)
    if len(oof.runs) == 1 or method == BEST:
        alone = _score(oof, metric, BEST, oof.runs[best], random)
        blend = single_blend(len(oof.runs), best, activation_of(oof.truth))
        return ChosenBlend(BEST, blend, [alone], alone, f"{oof.names[best]} predicts alone.")
    names = BLENDERS.names() if method == AUTO else [method]
    nested = {name: _nested(oof, metric, name, random) for name in names}
    judged = [_score(oof, metric, name, nested[name], random) for name in names]
    judged.sort(key=lambda one: -metric.gain(one.score, 0.0))
    chosen, expected = method, judged[0]
    if method == AUTO:
        chosen = _pick(oof, metric, nested)
        # Two folds leave one to choose by, which cannot be split again.
        if len(np.unique(oof.fold)) > 2:
            probabilities = _nested_choice(oof, metric, random)
        else:
            probabilities = nested.get(chosen, oof.runs[best])
        expected = _score(oof, metric, AUTO, probabilities, random)
    sentence = _sentence(oof, metric, chosen, judged, expected)
    fitted = _fitted(oof, metric, chosen, random)
    return ChosenBlend(chosen, fitted, judged, expected, sentence)


def blend_table(chosen: ChosenBlend, oof: OutOfFold, metric: Metric) -> pd.DataFrame:
    """Returns a line for each single run and each method: its score and gain out of fold."""
    singles = zip(oof.names, oof.scores(metric), strict=True)
    lines = [{"method": name, metric.name: f"{score:.4f}"} for name, score in singles]
    judged = [one for one in chosen.judged if one.method != BEST]
    if chosen.nested not in judged and judged:
        judged.append(chosen.nested)
    lines += [
        {
            "method": one.method,
            metric.name: f"{one.score:.4f}",
            "gain": f"{one.gain.score:+.4f}",
            "low": f"{one.gain.low:+.4f}",
            "high": f"{one.gain.high:+.4f}",
        }
        for one in judged
    ]
    return pd.DataFrame(lines).fillna("")


def _pick(oof: OutOfFold, metric: Metric, nested: Mapping[str, Probabilities]) -> str:
    """The method to take of those with nested probabilities, or the best single run."""

    def score(probabilities: Probabilities) -> float:
        return metric.gain(metric(oof.truth, probabilities), 0.0)

    first = max(nested, key=lambda name: score(nested[name]))
    gains = [
        metric.gain(
            metric(oof.truth[part], nested[first][part]),
            metric(oof.truth[part], nested[SIMPLEST][part]),
        )
        for part, _ in _parts(oof.fold)
    ]
    is_clear = np.mean(gains) > np.std(gains, ddof=1) / np.sqrt(len(gains))
    chosen = first if is_clear else SIMPLEST
    is_better = score(nested[chosen]) > score(oof.runs[oof.best(metric)])
    return chosen if is_better else BEST


def _fitted(
    oof: OutOfFold, metric: Metric, method: str, random: np.random.Generator
) -> FittedBlend:
    if method == BEST:
        return single_blend(len(oof.runs), oof.best(metric), activation_of(oof.truth))
    return BLENDERS[method](oof.runs, oof.truth, metric, random)


def _nested(
    oof: OutOfFold, metric: Metric, method: str, random: np.random.Generator
) -> Probabilities:
    """The probabilities of each fold, blended as fitted on all others."""
    predicted = np.empty(oof.runs.shape[1:], np.float32)
    for part, rest in _parts(oof.fold):
        blend = BLENDERS[method](oof.runs[:, rest], oof.truth[rest], metric, random)
        predicted[part] = blend(list(oof.runs[:, part]))
    return predicted


def _nested_choice(oof: OutOfFold, metric: Metric, random: np.random.Generator) -> Probabilities:
    """The probabilities of each fold by the method that is picked within the others."""
    predicted = np.empty(oof.runs.shape[1:], np.float32)
    for part, rest in _parts(oof.fold):
        inner = OutOfFold(
            oof.names, oof.runs[:, rest], oof.truth[rest], oof.fold[rest], oof.groups[rest]
        )
        nested = {name: _nested(inner, metric, name, random) for name in BLENDERS.names()}
        blend = _fitted(inner, metric, _pick(inner, metric, nested), random)
        predicted[part] = blend(list(oof.runs[:, part]))
    return predicted


def _parts(
    fold: npt.NDArray[np.intp],
) -> Iterator[tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]]:
    """Yields each fold's images and all others."""
    for number in np.unique(fold):
        yield fold == number, fold != number


def _score(
    oof: OutOfFold,
    metric: Metric,
    method: str,
    probabilities: Probabilities,
    random: np.random.Generator,
) -> BlendScore:
    single = oof.runs[oof.best(metric)]
    compared = compare_paired(
        metric, oof.truth, probabilities, single, oof.groups, random, RESAMPLES
    )
    return BlendScore(method, compared, probabilities)


def _sentence(
    oof: OutOfFold,
    metric: Metric,
    chosen: str,
    judged: Sequence[BlendScore],
    expected: BlendScore,
) -> str:
    name, best = metric.title, oof.names[oof.best(metric)]
    if chosen == BEST:
        gain = judged[0].gain
        return (
            f"No blend beats {best} alone out of fold: the best, {judged[0].method}, gains "
            f"{gain.score:+.4f} {name} (95 % interval {gain.low:+.4f} to {gain.high:+.4f}). {best} "
            "predicts alone."
        )
    own = next(one for one in judged if one.method == chosen)
    gain, luck = expected.gain, expected.comparison.luck
    how = "" if expected.method == chosen else f"; chosen anew for each fold, {gain.score:+.4f}"
    return (
        f"The blend {chosen} gains {own.gain.score:+.4f} {name} over {best}, the best single run, "
        f"out of fold{how} (95 % interval {gain.low:+.4f} to {gain.high:+.4f}): {luck}."
    )
