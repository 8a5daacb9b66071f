"""Which images to explain: the surest, the wrong and the doubtful, or those that are named."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.core.finding_metrics import PRESENT
from kagglecxr.core.findings import NO_FINDING, join_findings
from kagglecxr.core.registry import unknown_name_error
from kagglecxr.data.index import Index
from kagglecxr.inference.predictions import Predictions

RIGHT, WRONG, UNSURE = "surest right", "surest wrong", "least sure"
FOUND, MISSED, FALSE_ALARM = "surest found", "most missed", "false alarm"


def choose_images(predictions: Predictions, targets: Sequence[str], number: int) -> pd.DataFrame:
    """Chooses images of each true class: the surest right and wrong ones and the least sure.

    An image is in one group alone, the first that has room for it. How sure a prediction is, is
    told by its largest probability.

    Args:
        predictions: out of fold, with their true classes.
        targets: the classes' names.
        number: of images in a group.

    Returns:
        A line an image: group, id, true, predicted (names), probability (of the predicted class),
        and target, the number of the class that is explained: the predicted one.
    """
    table = _described(predictions, targets)
    parts: list[pd.DataFrame] = []
    for name in targets:
        of_class = table[table["true"] == name]
        right = of_class["true"] == of_class["predicted"]
        for group, some, ascending in (
            (RIGHT, of_class[right], False),
            (WRONG, of_class[~right], False),
            (UNSURE, of_class, True),
        ):
            taken = {each for part in parts for each in part["id"]}
            left = some[~some["id"].isin(taken)]
            ordered = left.sort_values("probability", ascending=ascending, kind="stable")
            parts.append(ordered.head(number).assign(group=group))
    return pd.concat(parts, ignore_index=True)


def choose_finding_images(
    predictions: Predictions, targets: Sequence[str], number: int
) -> pd.DataFrame:
    """Chooses images of each finding: those surest found, the most missed, false alarms.

    An image may stand for several findings. A finding of which something is not known of an image
    does not choose it.

    Args:
        predictions: out of fold, with their true findings.
        targets: the findings' names.
        number: of images in a group.

    Returns:
        Lines as of `choose_images`; predicted is the finding that is explained, and probability
        its own, whatever it is; true are all findings of the image.
    """
    parts = []
    for target in range(len(targets)):
        truth, scored = predictions.truth[:, target], predictions.probabilities[:, target]
        for group, is_wanted, order in (
            (FOUND, (truth == 1) & (scored >= PRESENT), np.argsort(-scored, kind="stable")),
            (MISSED, (truth == 1) & (scored < PRESENT), np.argsort(scored, kind="stable")),
            (FALSE_ALARM, (truth == 0) & (scored >= PRESENT), np.argsort(-scored, kind="stable")),
        ):
            rows = order[is_wanted[order]][:number]
            parts.append(_of_finding(predictions, targets, target, rows).assign(group=group))
    return pd.concat(parts, ignore_index=True)


def _of_finding(
    predictions: Predictions, targets: Sequence[str], target: int, rows: npt.NDArray[np.intp]
) -> pd.DataFrame:
    """The lines of some rows, of which one finding is explained."""
    names = np.array(targets, dtype=object)
    cells = [
        join_findings(set(names[line == 1]), set(names[np.isnan(line)]), targets, NO_FINDING)
        for line in predictions.truth[rows]
    ]
    return pd.DataFrame(
        {
            "id": predictions.ids[rows].astype(str),
            "true": cells,
            "predicted": targets[target],
            "probability": predictions.probabilities[rows, target],
            "target": target,
        }
    )


def name_images(
    predictions: Predictions, targets: Sequence[str], ids: Sequence[str]
) -> pd.DataFrame:
    """Returns the lines of the named images in the order named, as `choose_images`.

    Of findings, the most probable one of each image is explained.

    Raises:
        UnknownNameError: one is not predicted; the nearest three are given.
    """
    row_of = {name: row for row, name in enumerate(predictions.ids.astype(str).tolist())}
    for name in ids:
        if name not in row_of:
            raise unknown_name_error("predicted image", name, row_of)
    rows = [row_of[name] for name in ids]
    if predictions.truth.ndim == 1:
        table = _described(predictions, targets).iloc[rows]
    else:
        most = predictions.probabilities[rows].argmax(axis=1)
        lines = [
            _of_finding(predictions, targets, int(target), np.array([row]))
            for row, target in zip(rows, most, strict=True)
        ]
        table = pd.concat(lines)
    return pd.DataFrame(table.assign(group="named").reset_index(drop=True))


def with_target(chosen: pd.DataFrame, targets: Sequence[str], name: str) -> pd.DataFrame:
    """Returns the lines with one class to be explained, whatever is predicted.

    Raises:
        UnknownNameError: no such class; the nearest three are given.
    """
    if name not in targets:
        raise unknown_name_error("class", name, targets)
    return chosen.assign(target=list(targets).index(name))


def rows_of(index: Index, chosen: pd.DataFrame) -> npt.NDArray[np.intp]:
    """Returns the chosen images' rows in the index."""
    row = {name: number for number, name in enumerate(index.ids)}
    return np.array([row[name] for name in chosen["id"]], np.intp)


def _described(predictions: Predictions, targets: Sequence[str]) -> pd.DataFrame:
    predicted = predictions.probabilities.argmax(axis=1)
    return pd.DataFrame(
        {
            "id": predictions.ids.astype(str),
            "true": [targets[k] if k >= 0 else "" for k in predictions.truth],
            "predicted": [targets[k] for k in predicted],
            "probability": predictions.probabilities.max(axis=1),
            "target": predicted,
        }
    )
