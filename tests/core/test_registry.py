"""Names that find their entries, or the nearest three."""

import doctest
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kagglecxr.core import registry
from kagglecxr.core.errors import UnknownNameError
from kagglecxr.core.registry import Registry, nearest, unknown_name_error


@pytest.fixture
def nets() -> Registry[Callable[[], int]]:
    entries = Registry[Callable[[], int]]("model")
    for number, name in enumerate(("resnet50", "resnet101", "densenet121", "vgg16", "cnn_small")):
        entries.add_as(name)(lambda number=number: number)
    return entries


def test_a_function_is_found_by_its_own_name() -> None:
    steps = Registry[Callable[[int], int]]("step")

    @steps.add
    def double(value: int) -> int:
        return 2 * value

    assert steps["double"] is double
    assert double(4) == 8


def test_an_entry_can_have_another_name(nets: Registry[Callable[[], int]]) -> None:
    assert nets["densenet121"]() == 2


def test_an_unknown_name_raises_with_what_was_received_and_the_nearest_three(
    nets: Registry[Callable[[], int]],
) -> None:
    with pytest.raises(UnknownNameError) as caught:
        nets["resnet5"]
    sentence = str(caught.value)
    assert "model" in sentence
    assert "'resnet5'" in sentence
    assert "resnet50, resnet101, densenet121" in sentence
    assert "vgg16" not in sentence


def test_an_unknown_name_is_a_value_error(nets: Registry[Callable[[], int]]) -> None:
    with pytest.raises(ValueError, match="resnet50"):
        nets["rexnet50"]


def test_membership_is_tested_without_an_error(nets: Registry[Callable[[], int]]) -> None:
    assert "vgg16" in nets
    assert "vgg19" not in nets


def test_names_are_sorted_and_filtered_by_a_shell_pattern(
    nets: Registry[Callable[[], int]],
) -> None:
    assert nets.names("*net*") == ["densenet121", "resnet101", "resnet50"]
    assert nets.names() == sorted(["resnet50", "resnet101", "densenet121", "vgg16", "cnn_small"])
    assert nets.names("inception*") == []


def test_a_name_is_not_given_twice(nets: Registry[Callable[[], int]]) -> None:
    with pytest.raises(KeyError, match="vgg16"):
        nets.add_as("vgg16")(lambda: 9)
    assert nets["vgg16"]() == 3


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=8), st.sets(st.text("abcdef", min_size=1, max_size=6), max_size=8))
def test_the_nearest_are_up_to_three_known_names(name: str, known: set[str]) -> None:
    found = nearest(name, known)
    assert len(found) == min(3, len(known))
    assert set(found) <= known


@settings(deadline=None, max_examples=50)
@given(st.sets(st.text("abcdef", min_size=1, max_size=6), min_size=1, max_size=8), st.data())
def test_a_known_name_is_its_own_nearest(known: set[str], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(known)))
    assert nearest(name, known)[0] == name


def test_the_nearest_do_not_depend_on_the_order_of_the_known() -> None:
    known = ["ab", "ac", "ad", "ae"]
    assert nearest("a", known) == nearest("a", reversed(known))


def test_capitals_do_not_count() -> None:
    assert nearest("covid", ["Normal", "Lung_Opacity", "Viral Pneumonia", "COVID"])[0] == "COVID"


def test_the_error_can_be_made_for_any_kind_of_name() -> None:
    error = unknown_name_error("run", "cnn-1", ["cnn-2", "vgg-1"])
    assert isinstance(error, UnknownNameError)
    assert str(error).startswith("There is no run of that name. Received: 'cnn-1'.")


def test_the_docstrings_examples_are_true() -> None:
    assert doctest.testmod(registry).failed == 0
