"""Which images to explain: the surest, the wrong and the doubtful, or those that are named."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.core.registry import unknown_name_error
from kagglecxr.data.index import Index
from kagglecxr.inference.predictions import Predictions

RIGHT, WRONG, UNSURE = "surest right", "surest wrong", "least sure"


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


def name_images(
    predictions: Predictions, targets: Sequence[str], ids: Sequence[str]
) -> pd.DataFrame:
    """Returns the lines of the named images in the order named, as `choose_images`.

    Raises:
        UnknownNameError: one is not predicted; the nearest three are given.
    """
    table = _described(predictions, targets).set_index("id", drop=False)
    for name in ids:
        if name not in table.index:
            raise unknown_name_error("predicted image", name, table.index)
    return table.loc[list(ids)].assign(group="named").reset_index(drop=True)


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
