"""The test set as it is in a data folder now: its images by the sample submission's ids."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from kagglecxr.core.errors import DataError, MissingError, SettingError, shorten
from kagglecxr.data.competition import Competition
from kagglecxr.data.files.layout import class_folders
from kagglecxr.data.files.listing import list_files
from kagglecxr.data.files.matching import match_ids
from kagglecxr.data.files.patterns import match_patterns
from kagglecxr.data.files.tables import read_any_table
from kagglecxr.data.images.image import name_without_suffix

SAMPLE = "sample_submission.csv"
"""Kaggle's name of it, the default where the layout has none."""


@dataclass(frozen=True)
class TestSet:
    """The ids to predict and the image of each.

    Attributes:
        sample: the sample submission; every cell is text.
        ids: the ids of the images to predict, in its order.
        path_of: the path of each id's image, relative to the data folder; an id may have none.
        extra: test images whose id is not in the sample submission.
    """

    __test__ = False

    sample: pd.DataFrame
    ids: list[str]
    path_of: dict[str, str]
    extra: list[str]


def sample_path(root: Path, competition: Competition) -> Path:
    """Returns where the sample submission of a data folder is.

    Raises:
        MissingError: it is not there.
    """
    path = root / (competition.layout.sample or SAMPLE)
    if not path.is_file():
        raise MissingError(
            f"There is no sample submission. Received: {path}. Name it under [layout] sample."
        )
    return path


def find_test_set(root: Path, competition: Competition, targets: list[str]) -> TestSet:
    """Finds the test images of a data folder, whether or not they are in an index.

    Raises:
        SettingError: the layout has no test patterns.
        MissingError: there is no sample submission.
        DataError: an id stands twice, two images have one name, or no image has one of the ids.
    """
    layout = competition.layout
    is_told_by_tables = bool(layout.labels and layout.sample)
    if not layout.test and not is_told_by_tables:
        raise SettingError(
            f"The layout of {competition.name} has no test set. Received: no [layout] test. "
            'Write where its images are, for example test = ["test/*"].'
        )
    path = sample_path(root, competition)
    sample = read_any_table(path)
    ids = competition.submission.for_targets(targets).image_ids(list(sample.iloc[:, 0]))
    # The ids of a sample submission are file names with or without suffix and folder.
    id_of = {name_without_suffix(name): name for name in ids}
    _check_unique(map(name_without_suffix, ids), f"Ids name one image. Received: {path}")
    files, folders = list_files(root).images, class_folders(competition)
    images = list(match_patterns(files, layout.test, folders)) if layout.test else files
    matched = match_ids([name_without_suffix(image) for image in images], list(id_of))
    known = [image for image in images if name_without_suffix(image) in matched]
    _check_unique(
        map(name_without_suffix, known), f"Several test images have one name. Received: {root}"
    )
    if not known:
        raise DataError(
            f"No test image has an id of the sample submission. Received: {len(images)} images "
            f"({shorten(images)}), ids {shorten(ids)}. Check [layout] test and sample."
        )
    path_of = {id_of[matched[name_without_suffix(image)]]: image for image in known}
    # Where tables tell training images from test images, no pattern does.
    others = set() if is_told_by_tables else set(images) - set(known)
    return TestSet(sample, ids, path_of, sorted(others))


def _check_unique(names: Iterable[str], problem: str) -> None:
    repeated = sorted(name for name, times in Counter(names).items() if times > 1)
    if repeated:
        raise DataError(f"{problem} with {shorten(repeated)}. Check [layout] test and sample.")
