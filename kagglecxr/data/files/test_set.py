"""The test set as it is in a data folder now: its images by the sample submission's ids."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from kagglecxr.core.errors import DataError, MissingError, SettingError, shorten
from kagglecxr.data.competition import Competition
from kagglecxr.data.files.layout import class_folders
from kagglecxr.data.files.listing import list_files
from kagglecxr.data.files.matching import PathMatches, match_paths
from kagglecxr.data.files.patterns import match_patterns
from kagglecxr.data.files.tables import read_any_table

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


def list_test_images(root: Path, competition: Competition) -> list[str]:
    """Lists the images of a data folder that may be of the test set, whether indexed or not.

    Raises:
        SettingError: the layout has no test patterns, and no tables that tell the test set.
    """
    layout = competition.layout
    if not layout.test and not (layout.labels and layout.sample):
        raise SettingError(
            f"The layout of {competition.name} has no test set. Received: no [layout] test. "
            'Write where its images are, for example test = ["test/*"].'
        )
    files, folders = list_files(root).images, class_folders(competition)
    return list(match_patterns(files, layout.test, folders)) if layout.test else files


def find_test_set(
    root: Path, competition: Competition, targets: list[str], images: list[str]
) -> TestSet:
    """Finds the image of each id of the sample submission.

    Raises:
        MissingError: there is no sample submission.
        DataError: an id stands twice, two images have one name, or no image has one of the ids.
    """
    sample = read_any_table(sample_path(root, competition))
    submission_format = competition.submission.for_targets(targets)
    ids = submission_format.image_ids(list(sample[submission_format.id]))
    matches = match_paths(ids, images)
    _refuse(ids, matches, root)
    known = list(matches.image_of.values())
    if not known:
        raise DataError(
            f"No test image has an id of the sample submission. Received: {len(images)} images "
            f"({shorten(images)}), ids {shorten(ids)}. Check [layout] test and sample."
        )
    # Where tables tell training images from test images, no pattern does.
    others = set(images) - set(known) if competition.layout.test else set()
    return TestSet(sample, ids, dict(matches.image_of), sorted(others))


def _refuse(ids: list[str], matches: PathMatches, root: Path) -> None:
    """Refuses ids that stand twice, and those that name several images, or one together."""
    times, images = Counter(ids), Counter(matches.image_of.values())
    twice = {one for one in ids if times[one] > 1 or images[matches.image_of.get(one, "")] > 1}
    if twice:
        raise DataError(
            f"Ids name one image. Received: {root} with {shorten(sorted(twice))}. Check [layout] "
            "test and sample."
        )
    if matches.ambiguous:
        one, found = next(iter(matches.ambiguous.items()))
        raise DataError(
            f"Several test images have one name. Received: {root} with {shorten(found)} for the id "
            f"{one!r}. Check [layout] test and sample."
        )
