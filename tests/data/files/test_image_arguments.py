"""Images named on a command line: files, folders and patterns."""

import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kagglecxr.core.errors import DataError, MissingError
from kagglecxr.data.files.image_arguments import find_images

NAMES = ["b.png", "a.PNG", "sub/c d.png", "sub/é.png", "notes.txt", ".hidden.png", "sub/[1].png"]


@pytest.fixture
def xrays(in_folder: Path) -> Path:
    """A folder of images with others among them, in the current one."""
    for name in NAMES:
        path = in_folder / "xrays" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return in_folder / "xrays"


@pytest.mark.parametrize(
    ("named", "found"),
    [
        (["xrays"], ["a.PNG", "b.png", "sub/[1].png", "sub/c d.png", "sub/é.png"]),
        (["xrays/b.png", "xrays"], ["b.png", "a.PNG", "sub/[1].png", "sub/c d.png", "sub/é.png"]),
        (["xrays/*"], ["a.PNG", "b.png", "sub/[1].png", "sub/c d.png", "sub/é.png"]),
        (["xrays/*.*"], ["a.PNG", "b.png"]),
        (["xrays/**/*.png"], ["b.png", "sub/[1].png", "sub/c d.png", "sub/é.png"]),
        (["xrays/**"], ["a.PNG", "b.png", "sub/[1].png", "sub/c d.png", "sub/é.png"]),
        (["xrays/sub/[cé]*", "xrays/b.png"], ["sub/c d.png", "sub/é.png", "b.png"]),
        (["xrays/sub/[1].png"], ["sub/[1].png"]),
        (["xrays/notes.txt"], ["notes.txt"]),
    ],
)
def test_files_folders_and_patterns_are_found_in_order(
    xrays: Path, named: list[str], found: list[str]
) -> None:
    assert find_images(named) == [f"xrays/{name}" for name in found]


def test_paths_stay_as_they_are_given(xrays: Path) -> None:
    assert find_images(["xrays/../xrays/b.png"]) == ["xrays/../xrays/b.png"]
    assert find_images([str(xrays / "*.png")]) == [str(xrays / "b.png")]
    os.chdir(xrays)
    assert find_images(["."])[:2] == ["a.PNG", "b.png"]


def test_a_file_that_is_named_twice_is_found_once(xrays: Path) -> None:
    names = ["xrays/b.png", "./xrays/b.png", str(xrays / "b.png"), "xrays/*.png"]
    assert find_images(names) == ["xrays/b.png"]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(["xrays", "xrays/b.png", "xrays/*", "xrays/sub", "xrays/**/*.png"]))
)
def test_every_file_is_found_once_and_those_of_an_earlier_name_first(
    xrays: Path, named: Sequence[str]
) -> None:
    found = find_images(["xrays/a.PNG", *named])
    assert len(set(map(os.path.abspath, found))) == len(found)
    assert found[0] == "xrays/a.PNG"
    if named:
        first = find_images(named[:1])
        assert [path for path in found if path in first and path != "xrays/a.PNG"] == [
            path for path in first if path != "xrays/a.PNG"
        ]


def test_an_image_without_a_suffix_is_known_by_its_bytes(in_folder: Path) -> None:
    encoded = cv2.imencode(".png", np.zeros((2, 2), np.uint8))[1].tobytes()
    Path("scan").write_bytes(encoded)
    Path("README").write_text("no image")
    assert find_images(["*"]) == ["scan"]


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ([], "Looked in: nothing, from /"),
        (["xrays/b.png", "nowhere"], "Looked in: nowhere, from /"),
        (["xrays/*.jpg", "xrays/empty"], r"Looked in: xrays/\*\.jpg, xrays/empty, from /"),
        (["xrays/gone.png"], "Looked in: xrays/gone.png"),
    ],
)
def test_a_name_that_means_no_image_is_told(xrays: Path, named: list[str], message: str) -> None:
    (xrays / "empty").mkdir()
    (xrays / "gone.png").symlink_to("nothing.png")
    with pytest.raises(MissingError, match=message):
        find_images(named)


def test_a_name_that_no_table_holds_is_refused(in_folder: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    Path(name).touch()
    with pytest.raises(DataError, match=r"not UTF-8.*caf\\xe9"):
        find_images([name])
