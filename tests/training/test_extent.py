"""How much is trained: what cannot be is refused before anything is."""

import pytest

from kagglecxr.core.errors import SettingError
from kagglecxr.training.extent import Extent


@pytest.mark.parametrize(
    ("extent", "told"),
    [
        (Extent(seeds=0), "--seeds 0"),
        (Extent(pseudo_rounds=-1), "-1 rounds"),
        (Extent(pseudo_rounds=2, fold=0), "2 rounds of fold 0 alone"),
        (Extent(timeout=0.0), "0"),
        (Extent(timeout=60.0, cluster="local"), "--timeout 60.0 with --cluster local"),
    ],
)
def test_what_cannot_be_is_refused(extent: Extent, told: str) -> None:
    with pytest.raises(SettingError, match=told):
        extent.check()


@pytest.mark.parametrize(
    "extent", [Extent(), Extent(pseudo_rounds=2, timeout=60.0), Extent(fold=3)]
)
def test_what_can_be_is_not(extent: Extent) -> None:
    extent.check()
