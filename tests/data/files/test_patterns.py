"""Patterns of a layout."""

import doctest

import pytest

from kagglecxr.data.files import patterns
from kagglecxr.data.files.patterns import match_patterns

FILES = ["1.png", "a/2.png", "a/b/3.png", "a/b/ill/4.png", "ill/ill-5.png", "ill/well-6.png"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*", ["1.png"]),
        ("**", FILES),
        ("**/*", FILES),
        ("a/**/*.png", ["a/2.png", "a/b/3.png", "a/b/ill/4.png"]),
        ("a/**", ["a/2.png", "a/b/3.png", "a/b/ill/4.png"]),
        ("**/{class}/*", ["a/b/ill/4.png", "ill/ill-5.png", "ill/well-6.png"]),
        ("{class}/{class}-*", ["ill/ill-5.png"]),
    ],
)
def test_stars_and_classes(pattern: str, found: list[str]) -> None:
    assert list(match_patterns(FILES, [pattern], {"ill": "ill", "well": "well"})) == found


def test_the_first_pattern_that_matches_says_the_label() -> None:
    labels = match_patterns(FILES, ["{class}/*", "*/*"], {"ill": "sick"})
    assert (labels["ill/ill-5.png"], labels["a/2.png"]) == ("sick", "")


def test_the_examples_in_the_documentation_hold() -> None:
    assert doctest.testmod(patterns).failed == 0
