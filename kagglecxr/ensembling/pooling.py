"""Pools classes: targets that are made of several classes of a finer model."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import SettingError
from kagglecxr.core.metrics import Probabilities
from kagglecxr.core.registry import unknown_name_error


def read_pools(words: Sequence[str], classes: Sequence[str]) -> dict[str, list[int]]:
    """Reads pools from words such as "covid=COVID" and "other=Normal,Lung_Opacity".

    Raises:
        SettingError: a word is no pool, or a class is in no pool or in two.
        UnknownNameError: there is no such class.

    >>> read_pools(["ill=a,c", "well=b"], ["a", "b", "c"])
    {'ill': [0, 2], 'well': [1]}
    """
    pools: dict[str, list[int]] = {}
    for word in words:
        name, equals, members = word.partition("=")
        if not (name and equals) or name in pools:
            raise SettingError(
                f"A pool is a name of its own and its classes. Received: {word!r}. Write for "
                f"example --pool target={','.join(classes[:2])}"
            )
        named = members.split(",")
        unknown = [one for one in named if one not in classes]
        if unknown:
            raise unknown_name_error("class", unknown[0], classes)
        pools[name] = [list(classes).index(one) for one in named]
    _check_pools(list(pools.values()), classes)
    return pools


def pool_probabilities(
    probabilities: Probabilities, pools: Sequence[Sequence[int]]
) -> npt.NDArray[np.float32]:
    """Returns (N, targets), the sums of the columns of each target's classes."""
    sums = [probabilities[:, list(pool)].sum(axis=1, dtype=np.float64) for pool in pools]
    return np.stack(sums, axis=1).astype(np.float32)


def _check_pools(pools: Sequence[Sequence[int]], classes: Sequence[str]) -> None:
    pooled = sorted(position for pool in pools for position in pool)
    if pooled != list(range(len(classes))):
        named = [[classes[position] for position in pool] for pool in pools]
        raise SettingError(
            f"Pools hold each class once. Received: {named} for {', '.join(classes)}. Name every "
            "class in one --pool."
        )
