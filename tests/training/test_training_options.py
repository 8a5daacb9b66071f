"""Options that cannot be carried out are refused before anything is trained."""

import pytest

from kagglecxr.core.errors import SettingError
from kagglecxr.training.training_options import TrainOptions


@pytest.mark.parametrize(
    ("extent", "message"),
    [
        (TrainOptions(seeds=0), "--seeds 0"),
        (TrainOptions(pseudo_rounds=-1), "-1 rounds"),
        (TrainOptions(pseudo_rounds=2, fold=0), "2 rounds of fold 0 alone"),
        (TrainOptions(timeout=0.0), "0"),
        (TrainOptions(timeout=60.0, cluster="local"), "--timeout 60.0 with --cluster local"),
    ],
)
def test_what_cannot_be_is_refused(extent: TrainOptions, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        extent.check()


@pytest.mark.parametrize(
    "extent", [TrainOptions(), TrainOptions(pseudo_rounds=2, timeout=60.0), TrainOptions(fold=3)]
)
def test_what_can_be_is_not(extent: TrainOptions) -> None:
    extent.check()
