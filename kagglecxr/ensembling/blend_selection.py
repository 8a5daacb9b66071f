"""Judges blends by nested cross-validation and chooses one, or the best single run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.core.intervals import Interval
from kagglecxr.core.metrics import Labels, Metric, Probabilities
from kagglecxr.core.paired_tests import compare_paired
from kagglecxr.ensembling.blenders import BLENDERS
from kagglecxr.ensembling.blends import FittedBlend, Runs, single_blend

AUTO, BEST = "auto", "best"
"""To choose among all blends and the best single run; the best single run."""
RESAMPLES = 500
"""For the interval of each method's gain."""


@dataclass(frozen=True)
class OutOfFold:
    """Out-of-fold predictions of several runs on the same images.

    Attributes:
        names: of the runs.
        runs: (runs, N, targets) probabilities.
        truth: (N,) target ids.
        fold: (N,) int, for nested cross-validation; no group is in two.
        groups: (N,) the group of each image.
    """

    names: Sequence[str]
    runs: Runs
    truth: Labels
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
        probabilities: (N, targets), nested: of each fold by the blend fitted on the others.
        gain: over the best single run, with its interval; positive is better.
    """

    method: str
    score: float
    gain: Interval
    probabilities: Probabilities


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
    """Fits the method named, or with "auto" the one with the best nested score.

    A blend that does not beat the best single run out of fold is not chosen by "auto". The best
    single run is itself chosen on these images, which favours it.

    Raises:
        UnknownNameError: there is no such method.
    """
    names = BLENDERS.names()
    if method not in (AUTO, BEST):
        BLENDERS[method]
        names = [method]
    best = oof.best(metric)
    blend: FittedBlend
    if len(oof.runs) == 1 or method == BEST:
        alone = _score(oof, metric, BEST, oof.runs[best], random)
        blend = single_blend(len(oof.runs), best)
        return ChosenBlend(BEST, blend, [alone], alone, f"{oof.names[best]} predicts alone.")
    judged = [
        _score(oof, metric, name, _nested(oof, metric, name, random), random) for name in names
    ]
    judged.sort(key=lambda one: (-metric.gain(one.score, 0.0), one.method != "mean", one.method))
    nested = judged[0]
    chosen = _pick(judged) if method == AUTO else method
    # Two folds leave one to choose by, which cannot be split again.
    if method == AUTO and len(np.unique(oof.fold)) > 2:
        probabilities = _nested_choice(oof, metric, random)
        nested = _score(oof, metric, AUTO, probabilities, random)
    blend = (
        single_blend(len(oof.runs), best)
        if chosen == BEST
        else BLENDERS[chosen](oof.runs, oof.truth, metric, random)
    )
    return ChosenBlend(
        chosen, blend, judged, nested, _sentence(oof, metric, chosen, judged[0], best)
    )


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


def _pick(judged: Sequence[BlendScore]) -> str:
    """The method with the best nested score, if it is better than the best single run's."""
    return judged[0].method if judged[0].gain.score > 0 else BEST


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
    """The probabilities of each fold by the method that is best within the others."""
    predicted = np.empty(oof.runs.shape[1:], np.float32)
    for part, rest in _parts(oof.fold):
        inner = OutOfFold(
            oof.names, oof.runs[:, rest], oof.truth[rest], oof.fold[rest], oof.groups[rest]
        )
        best = inner.best(metric)
        tried = {BEST: metric.gain(inner.scores(metric)[best], 0.0)}
        for name in BLENDERS.names():
            score = metric(inner.truth, _nested(inner, metric, name, random))
            tried[name] = metric.gain(score, 0.0)
        method = max(tried, key=lambda name: tried[name])
        blend = (
            single_blend(len(oof.runs), best)
            if method == BEST
            else BLENDERS[method](inner.runs, inner.truth, metric, random)
        )
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
    return BlendScore(method, compared.a, compared.gain, probabilities)


def _sentence(
    oof: OutOfFold, metric: Metric, chosen: str, best_blend: BlendScore, best: int
) -> str:
    name, gain = metric.name.replace("_", " "), best_blend.gain
    interval = f"(95 % interval {gain.low:+.4f} to {gain.high:+.4f})"
    if chosen == BEST:
        return (
            f"No blend beats {oof.names[best]} alone out of fold: the best, {best_blend.method}, "
            f"gains {gain.score:+.4f} {name} {interval}. {oof.names[best]} predicts alone."
        )
    verdict = "more than luck" if gain.low > 0 else "which may be luck"
    return (
        f"The blend {chosen} gains {gain.score:+.4f} {name} over {oof.names[best]}, the best "
        f"single run, out of fold {interval}: {verdict}."
    )
