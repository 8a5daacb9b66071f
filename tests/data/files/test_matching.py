"""Ids and paths of tables mean an image where that is unambiguous, and none elsewhere."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kagglecxr.data.files import matching
from kagglecxr.data.files.matching import match_paths

NAMES = st.lists(st.text("abAB01/", min_size=1, max_size=5).map(lambda s: s.strip("/") or "a"),
                 unique=True, max_size=8)  # fmt: skip


def meant(written: list[str], images: list[str]) -> dict[str, str]:
    return match_paths(written, images).image_of


@given(NAMES, NAMES)
def test_what_is_an_image_means_itself_and_no_two_guesses_mean_one(
    written: list[str], names: list[str]
) -> None:
    written = [matching._plain(one) for one in written]
    images = [f"{matching._plain(name)}.png" for name in names]
    found = meant([*written, *images], images)
    assert all(found[image] == image for image in images)
    assert set(found.values()) <= set(images)
    guesses = meant(written, images)
    assert len(set(guesses.values())) == len(guesses)


def test_leading_zeros_that_were_lost_are_found_again() -> None:
    images = [f"x/{number:02d}.png" for number in range(1, 41)]
    ids = [str(number) for number in range(1, 41)]
    assert meant(ids, images) == dict(zip(ids, images, strict=True))


@pytest.mark.parametrize(
    ("written", "images"),
    [
        (["1"], ["01.png", "001.png"]),
        (["01", "001"], ["1.png"]),
        (["north/1.png", "south/1.png"], ["1.png"]),
        (["extra/001.jpg"], ["train/001.png", "test/001.png"]),
        (["AB"], ["ab.png", "aB.png"]),
    ],
)
def test_what_may_mean_two_is_not_guessed(written: list[str], images: list[str]) -> None:
    assert meant(written, images) == {}


@pytest.mark.parametrize(
    ("written", "image"),
    [
        ("ill/a", "ill/a.png"),
        ("ILL/A.PNG", "ill/a.png"),
        ("set/ill/a.jpg", "ill/a.png"),
        ("elsewhere/a.png", "ill/a.png"),
        ("a", "ill/a.png"),
        ("7", "ill/007.dcm"),
        ("7.0", "ill/007.dcm"),
        ("0", "ill/000.png"),
        ("1.2.840.7", "ill/1.2.840.7.dcm"),
    ],
)
def test_paths_may_be_written_otherwise(written: str, image: str) -> None:
    assert meant([written], [image, "well/other.png"]) == {written: image}


def test_a_suffix_tells_two_images_of_one_name_apart() -> None:
    assert meant(["a.jpg", "a.png"], ["x/a.png", "x/a.jpg"]) == {
        "a.jpg": "x/a.jpg", "a.png": "x/a.png",
    }  # fmt: skip
    assert match_paths(["a"], ["x/a.png", "x/a.jpg"]).ambiguous == {"a": ["x/a.png", "x/a.jpg"]}


def test_a_path_goes_before_a_name_that_it_ends_with() -> None:
    images = ["train/001.png", "train/002.png"]
    written = ["train/001.jpg", "train/002.jpg", "extra/001.jpg"]
    assert meant(written, images) == dict(zip(written[:2], images, strict=True))


def test_a_path_as_it_stands_goes_before_one_with_more_folders() -> None:
    assert meant(["1.png", "south/1.png"], ["1.png"]) == {"1.png": "1.png"}


def test_the_examples_in_the_documentation_hold() -> None:
    assert doctest.testmod(matching).failed == 0
