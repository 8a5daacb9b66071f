"""The family of user's mistakes, and the shortening of long lists."""

import doctest
import inspect

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kagglecxr
from kagglecxr.core import errors
from kagglecxr.core.errors import CxrError, LeakError, MissingError, shorten

MISTAKES = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, CxrError) and kind is not CxrError
]


@pytest.mark.parametrize("kind", MISTAKES)
def test_every_mistake_is_also_the_built_in_error_that_fits(kind: type[CxrError]) -> None:
    fitting = FileNotFoundError if kind is MissingError else ValueError
    assert issubclass(kind, fitting)
    assert str(kind("One sentence.")) == "One sentence."


def test_the_family_has_all_its_members() -> None:
    assert {kind.__name__ for kind in MISTAKES} >= {
        "SettingError",
        "UnknownNameError",
        "DataError",
        "LeakError",
        "MissingError",
        "SubmissionError",
        "WeightsError",
    }


def test_the_package_shows_the_base_of_the_family() -> None:
    assert kagglecxr.CxrError is CxrError


def test_a_leak_is_a_mistake_in_the_data() -> None:
    assert issubclass(LeakError, errors.DataError)


def test_a_list_that_fits_is_shown_whole() -> None:
    assert shorten(["a", "b", "c"]) == "a, b, c"


def test_no_names_give_no_text() -> None:
    assert shorten([]) == ""


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from("abcdef"), min_size=1), st.integers(1, 10))
def test_what_is_shown_and_what_is_counted_is_everything(names: list[str], most: int) -> None:
    text = shorten(names, most)
    shown, _, rest = text.partition(" and ")
    left_out = int(rest.removesuffix(" more")) if rest else 0
    assert shown.split(", ") == names[:most]
    assert len(shown.split(", ")) + left_out == len(names)


def test_the_docstrings_examples_are_true() -> None:
    assert doctest.testmod(errors) == (0, 1)
