"""The test set as it is in a data folder now: its images by the sample submission's ids."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from kagglecxr.core.errors import DataError, SettingError, shorten
from kagglecxr.data.competition import Competition
from kagglecxr.data.files.layout import class_folders
from kagglecxr.data.files.listing import list_files
from kagglecxr.data.files.matching import PathMatches, match_paths
from kagglecxr.data.files.patterns import match_patterns


@dataclass(frozen=True)
class TestSet:
    """The images that a sample submission asks for.

    Attributes:
        path_of: the path of each id's image, relative to the data folder; an id may have none.
        extra: test images whose id is not in the sample submission.
    """

    __test__ = False

    path_of: dict[str, str]
    extra: list[str]


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


def find_test_set(ids: list[str], images: list[str], *, by_pattern: bool) -> TestSet:
    """Finds the image of each id of a sample submission.

    Args:
        ids: those of images, in the sample's order.
        images: paths of those that may be test images.
        by_pattern: whether a pattern says that all of them are.

    Raises:
        DataError: an id stands twice, two images have one name, or no image has one of the ids.
    """
    matches = match_paths(ids, images)
    _refuse(ids, matches)
    known = list(matches.image_of.values())
    if not known:
        raise DataError(
            f"No test image has an id of the sample submission. Received: {len(images)} images "
            f"({shorten(images)}), ids {shorten(ids)}. Check [layout] test and sample."
        )
    # Where tables tell training images from test images, no pattern does.
    others = set(images) - set(known) if by_pattern else set()
    return TestSet(dict(matches.image_of), sorted(others))


def _refuse(ids: list[str], matches: PathMatches) -> None:
    """Refuses ids that stand twice, and those that name several images, or one together."""
    times, images = Counter(ids), Counter(matches.image_of.values())
    twice = {one for one in ids if times[one] > 1 or images[matches.image_of.get(one, "")] > 1}
    if twice:
        raise DataError(
            f"Several ids of the sample submission name one image, or one stands twice. Received: "
            f"{shorten(sorted(twice))}. Check [layout] test and sample."
        )
    if matches.ambiguous:
        one, found = next(iter(matches.ambiguous.items()))
        raise DataError(
            f"Several test images have one name. Received: {shorten(found)} for the id {one!r}. "
            "Check [layout] test and sample."
        )
