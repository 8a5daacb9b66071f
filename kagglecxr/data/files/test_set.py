"""The test part as it lies in a data folder now: its images, by the sample submission's ids."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from kagglecxr.core.errors import DataError, MissingError, SettingError, shorten
from kagglecxr.core.files import read_table
from kagglecxr.data.competition import Competition
from kagglecxr.data.files.layout import match_patterns
from kagglecxr.data.images.image import SUFFIXES, name_without_suffix

SAMPLE = "sample_submission.csv"
"""Kaggle's own name of it, where the layout tells none."""


@dataclass(frozen=True)
class TestSet:
    """What has to be answered, and with which images.

    Attributes:
        sample: the sample submission, every cell text.
        path_of: the image of each id, relative to the data folder; an id may have none.
        unasked: images whose id the sample submission does not have.
    """

    __test__ = False

    sample: pd.DataFrame
    path_of: dict[str, str]
    unasked: list[str]

    @property
    def ids(self) -> list[str]:
        """What has to be answered, in the sample's order."""
        return list(self.sample.iloc[:, 0])


def find_test_set(root: Path, competition: Competition) -> TestSet:
    """The test images of a data folder, whether or not any index knows them.

    Args:
        root: the data folder; nothing of its training part is needed.
        competition: its layout.

    Raises:
        SettingError: the layout tells no test part.
        MissingError: there is no sample submission.
        DataError: it holds an id twice, two images have one name, or no image has an id of it.
    """
    layout = competition.layout
    if not layout.test:
        raise SettingError(
            f"The layout of {competition.name} tells no test part. Received: no [layout] test. "
            'Write where its images are, for example test = ["test/*"].'
        )
    path = root / (layout.sample or SAMPLE)
    if not path.is_file():
        raise MissingError(
            f"There is no sample submission. Looked for: {path}. Name it under [layout] sample."
        )
    sample = read_table(path)
    ids = list(sample.iloc[:, 0])
    # A sample submission names an image with or without its suffix, with or without its folder.
    id_of = {name_without_suffix(name): name for name in ids}
    _refuse_doubled(map(name_without_suffix, ids), f"Ids name one image. Received: {path}")
    folders = {competition.classes.folders.get(n, n): n for n in competition.classes.names}
    files = sorted(
        file.relative_to(root).as_posix()
        for file in root.rglob("*")
        if file.suffix.lower() in SUFFIXES and file.is_file()
    )
    images = list(dict.fromkeys(p for p, *_ in match_patterns(files, layout.test, "test", folders)))
    asked = [image for image in images if name_without_suffix(image) in id_of]
    names = map(name_without_suffix, asked)
    _refuse_doubled(names, f"Several test images have one name. Received: {root}")
    if not asked:
        raise DataError(
            f"No test image has an id of the sample submission. Received: {len(images)} images "
            f"({shorten(images)}), ids {shorten(ids)}. Check [layout] test and sample."
        )
    path_of = {id_of[name_without_suffix(image)]: image for image in asked}
    return TestSet(sample, path_of, sorted(set(images) - set(asked)))


def _refuse_doubled(names: Iterable[str], wrong: str) -> None:
    doubled = sorted(name for name, times in Counter(names).items() if times > 1)
    if doubled:
        raise DataError(f"{wrong} with {shorten(doubled)}. Check [layout] test and sample.")
