"""Options of a training that nobody asked for are refused."""

import pytest

from kagglecxr.core.errors import SettingError
from kagglecxr.segmentation.segment_options import SegmentOptions


@pytest.mark.parametrize(
    ("options", "changes", "of_files", "told"),
    [
        (
            SegmentOptions(pseudo_masks=True),
            ["epochs=1"],
            False,
            r"--pseudo-masks --set\. Add --train",
        ),
        (SegmentOptions(train=True), [], True, r"--train\. Leave out --out"),
        (SegmentOptions(replace=True), [], True, r"--replace\. Leave out --out"),
    ],
)
def test_they_are_named(
    options: SegmentOptions, changes: list[str], of_files: bool, told: str
) -> None:
    with pytest.raises(SettingError, match=told):
        options.check(changes, of_files=of_files)


def test_others_pass() -> None:
    SegmentOptions(replace=True).check([], of_files=False)
    SegmentOptions(by_source=True, timeout=9.0).check(["epochs=1"], of_files=False)
    SegmentOptions().check([], of_files=True)
