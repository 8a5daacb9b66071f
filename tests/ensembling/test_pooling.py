"""Pools: sums of columns, and words that are no pools."""

import doctest

import numpy as np
import pytest

from kagglecxr.core.errors import SettingError, UnknownNameError
from kagglecxr.ensembling import pooling
from kagglecxr.ensembling.pooling import pool_probabilities, read_pools

CLASSES = ["COVID", "Normal", "Other"]


def test_pools_sum_columns() -> None:
    pooled = pool_probabilities(np.array([[0.1, 0.2, 0.3, 0.4]], np.float32), [[1], [0, 3, 2]])
    assert pooled.dtype == np.float32
    assert pooled[0] == pytest.approx([0.2, 0.8])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["ill"], "'ill'"),
        (["=COVID"], "'=COVID'"),
        (["ill=COVID", "ill=Normal,Other"], "a name of its own"),
        (["ill=COVID"], "each class once"),
        (["ill=COVID,Normal", "well=Normal,Other"], "each class once"),
    ],
)
def test_what_is_no_pool_or_leaves_a_class_out_is_refused(words: list[str], says: str) -> None:
    with pytest.raises(SettingError, match=says):
        read_pools(words, CLASSES)
    with pytest.raises(UnknownNameError, match="Normal"):
        read_pools(["ill=COVID", "well=normal,Other"], CLASSES)


def test_the_example_is_true() -> None:
    assert doctest.testmod(pooling).failed == 0
