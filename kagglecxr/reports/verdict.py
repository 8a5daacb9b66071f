"""Which run or ensemble is the best, and whether its lead over the second is luck."""

import numpy as np

from kagglecxr.core.intervals import Interval
from kagglecxr.core.paired_tests import compare_paired
from kagglecxr.core.seeding import generator
from kagglecxr.inference.predictions import Predictions
from kagglecxr.reports.compared_models import RESAMPLES, ComparedModels, count_models


def describe_best(compared: ComparedModels, seed: int) -> list[str]:
    """Says which is best, and whether it is better than the second by more than luck."""
    if not compared.scored:
        return ["None has an out-of-fold score, so none is known to be the best."]
    (best, oof, score), *others = compared.scored
    metric = compared.metric
    count = count_models([model for model, *_ in compared.scored])
    rank = f"the best of {count}" if others else "the only one with an out-of-fold score"
    first = (
        f"{best.name} is {rank}: {metric.title} {_score_text(score)} on "
        f"{len(oof.ids):,} training images, each predicted by a model that has not seen it."
    )
    return [first, _describe_lead(compared, seed)] if others else [first]


def _score_text(score: Interval) -> str:
    return f"{score.score:.4f}" if np.isnan(score.low) else str(score)


def _are_of_the_same(one: Predictions, other: Predictions) -> bool:
    """Whether two have predicted the same images with the same labels, in any order."""
    row_of = {name: row for row, name in enumerate(other.ids.tolist())}
    names = one.ids.tolist()
    if set(names) != set(row_of):
        return False
    rows = [row_of[name] for name in names]
    return np.array_equal(one.truth, other.truth[rows], equal_nan=one.truth.dtype.kind == "f")


def _describe_lead(compared: ComparedModels, seed: int) -> str:
    (best, oof, _), (second, other, _), *_ = compared.scored
    ids = oof.ids.tolist()
    if best.groups is None or not _are_of_the_same(oof, other):
        return (
            f"Whether it is better than {second.name} cannot be tested: they have predicted other "
            "images than one another, or than those prepared now."
        )
    metric, random = compared.metric, generator(seed, "compare")
    result = compare_paired(
        metric, oof.truth, oof.probabilities, other.of(ids), best.groups, random,
        RESAMPLES,
    )  # fmt: skip
    return result.sentence(best.name, second.name)
