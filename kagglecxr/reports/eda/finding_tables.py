"""Tables of an exploration of findings: how many there are, together and in which sources.

The truth of the training images is (N, K): 1 for a finding that is there, 0 else, NaN where that is
not known. What is not known is counted in no share.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats.contingency import association, crosstab

from kagglecxr.core.finding_metrics import auc_of_findings
from kagglecxr.data.index import Index
from kagglecxr.reports.cooccurrence import cooccurrence_counts
from kagglecxr.reports.eda.tables import UNKNOWN, class_counts

Truth = npt.NDArray[np.float32]
NOT_ALL_KNOWN = "not known"


def finding_counts(index: Index, truth: Truth, findings: Sequence[str], none: str) -> pd.DataFrame:
    """Returns `split,class,images,not_known,share,groups,masks` of findings and of none.

    A row for each finding, one for the images that are known to have none, and one for the test
    set, whose labels are not read; shares are of the images of which it is known.
    """
    table = class_counts(index, [*findings, none])
    some_not_known = np.isnan(truth).any(axis=1) & ~(truth == 1).any(axis=1)
    not_known = np.zeros(len(table), np.int64)
    not_known[: len(findings) + 1] = [*np.isnan(truth).sum(axis=0), some_not_known.sum()]
    table.insert(3, "not_known", not_known)
    known = np.where(table["split"] == "train", len(truth) - not_known, table["images"])
    table["share"] = table["images"] / np.maximum(known, 1)
    return table


def findings_per_image(truth: Truth) -> pd.DataFrame:
    """Returns `findings,images,share`: how many images have 0, 1, 2 and so on of the findings.

    Images of which a finding is not known are counted by themselves, in the last row.
    """
    all_known = ~np.isnan(truth).any(axis=1)
    counts = np.bincount((truth[all_known] == 1).sum(axis=1).astype(np.intp), minlength=1)
    names, images = [str(number) for number in range(len(counts))], counts.tolist()
    if not all_known.all():
        names, images = [*names, NOT_ALL_KNOWN], [*images, int((~all_known).sum())]
    share = np.array(images) / max(len(truth), 1)
    return pd.DataFrame({"findings": names, "images": images, "share": share})


def cooccurrence_table(truth: Truth, findings: Sequence[str]) -> pd.DataFrame:
    """Returns `finding,with,both,known,share`, a row for each ordered pair, each with itself too.

    `known` is the number of images with the first of which the second is known, `share` that of
    them with both; NaN where there is none.
    """
    both, known = cooccurrence_counts(truth, truth)
    pairs = list(np.ndindex(*both.shape))
    table = pd.DataFrame(
        [(findings[i], findings[j], int(both[i, j]), int(known[i, j])) for i, j in pairs],
        columns=["finding", "with", "both", "known"],
    )
    table["share"] = table["both"] / table["known"].where(table["known"] > 0)
    return table


def finding_by_source(
    truth: Truth, sources: Sequence[str], findings: Sequence[str]
) -> pd.DataFrame:
    """Returns `finding,source,images,known,share` of the training set, the largest source first.

    `share` is of the source's images of which the finding is known, NaN where there is none. Empty
    if no image has a source.
    """
    columns = ["finding", "source", "images", "known", "share"]
    if not any(sources):
        return pd.DataFrame(columns=columns)
    source = pd.Series(list(sources), dtype=object).replace("", UNKNOWN)
    counts = source.value_counts()
    names = sorted(counts.index, key=lambda name: (-counts[name], str(name)))
    lines: list[tuple[str, str, int, int]] = []
    for number, finding in enumerate(findings):
        for name in names:
            cells = truth[(source == name).to_numpy(), number]
            lines.append(
                (finding, str(name), int((cells == 1).sum()), int((~np.isnan(cells)).sum()))
            )
    table = pd.DataFrame(lines, columns=columns[:4])
    table["share"] = table["images"] / table["known"].where(table["known"] > 0)
    return table


def cramers_v(truth: Truth, facts: Sequence[str]) -> npt.NDArray[np.float64]:
    """Returns (K,) Cramer's V of each finding and a fact of the image, such as its source.

    0 where the finding is equally frequent whatever the fact, 1 where the fact tells it; NaN where
    the known images are all alike in one of both.
    """
    names = np.array(list(facts), dtype=object)
    values = np.full(truth.shape[1], np.nan)
    for number in range(truth.shape[1]):
        is_known = ~np.isnan(truth[:, number])
        table = crosstab(truth[is_known, number] == 1, names[is_known].astype(str)).count
        if min(table.shape) > 1:
            values[number] = association(table)
    return values


def auc_from_fact(
    truth: Truth, facts: Sequence[str], fold: npt.NDArray[np.intp]
) -> npt.NDArray[np.float64]:
    """Returns (K,) cross-validated AUCs of predicting findings from one fact of an image.

    The fact, such as the image's source or size, says nothing of the lungs. An image's probability
    is the share of images with the finding among those with its fact in the other folds, or among
    all there if none has its fact. The AUC is the mean of those inside of each fold: 0.5 for a fact
    that says nothing; NaN where no fold has images with and without the finding.
    """
    names = pd.Series(list(facts), dtype=object)
    table = pd.DataFrame(truth)
    scores = []
    for held_out in np.unique(fold):
        here = fold == held_out
        others = table[~here]
        by_fact = others.groupby(names[~here]).mean()
        predicted = by_fact.reindex(names[here]).fillna(others.mean()).fillna(0.0)
        scores.append(auc_of_findings(truth[here], predicted.to_numpy(np.float64)))
    sums, has_score = np.nansum(scores, axis=0), np.isfinite(scores).sum(axis=0)
    return np.where(has_score > 0, sums / np.maximum(has_score, 1), np.nan)


def example_rows(truth: Truth, random: np.random.Generator) -> npt.NDArray[np.intp]:
    """Draws an image of each finding, and one without any; -1 where there is none.

    Of the images with a finding one of those with the fewest others is drawn, since that shows it
    best; an image is drawn again only where no other is left.

    Returns:
        (K + 1,) rows of the truth; the last has no finding.
    """
    number = np.where(np.isnan(truth), 1.0, truth).sum(axis=1)
    chance = random.random(len(truth))
    drawn: list[int] = []
    for has_it in [*(truth == 1).T, (truth == 0).all(axis=1)]:
        rows = np.flatnonzero(has_it)
        order = np.lexsort((chance[rows], number[rows], np.isin(rows, drawn)))
        drawn.append(int(rows[order[0]]) if len(rows) else -1)
    return np.array(drawn, np.intp)
