"""Pipe strings: how they are read, how they are spelled, and what each step does."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kagglecxr.core.errors import SettingError, UnknownNameError
from kagglecxr.data.images.image import Image
from kagglecxr.data.images.pipeline import DEFAULT_PIPELINE, Pipeline
from kagglecxr.data.images.steps import STEPS


def ramp(height: int = 32, width: int = 48) -> Image:
    """A narrow-range gradient with some noise."""
    noise = np.random.default_rng(0).integers(0, 9, (height, width))
    return (np.linspace(90, 140, width)[None, :] + noise).astype(np.uint8)


def run(text: str, image: Image, size: int = 16) -> Image:
    return Pipeline.parse(text, size)(image)


def test_the_default_makes_a_grey_square_of_the_requested_size() -> None:
    colour = np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8)
    image = run(DEFAULT_PIPELINE, colour, size=20)
    assert image.shape == (20, 20)
    assert image.dtype == np.uint8


def test_steps_run_from_left_to_right() -> None:
    image = ramp()
    expected = cv2.equalizeHist(cv2.resize(image, (16, 16), interpolation=cv2.INTER_AREA))
    np.testing.assert_array_equal(run("resize | equalise", image), expected)
    assert not np.array_equal(run("equalise | resize", image), expected)


@given(st.lists(st.sampled_from(["gray", "resize", "equalise", "resize(9)"]), min_size=1))
def test_the_canonical_spelling_reads_as_the_same_pipeline(steps: list[str]) -> None:
    pipeline = Pipeline.parse("|".join(f"  {step} " for step in steps), 16)
    again = Pipeline.parse(pipeline.text, 999)
    assert again.text == pipeline.text
    np.testing.assert_array_equal(again(ramp()), pipeline(ramp()))


def test_resize_without_an_argument_writes_its_size_into_the_text() -> None:
    assert Pipeline.parse("gray|resize", 224).text == "gray | resize(224)"
    assert Pipeline.parse("gray|resize()", 224).text == "gray | resize(224)"


@pytest.mark.parametrize("spelled", ["clahe", "clahe()", "clahe(2.0)", "clahe( 2.0 , 8 )"])
def test_one_pipeline_has_one_spelling_with_every_argument_written_out(spelled: str) -> None:
    assert Pipeline.parse(spelled, 16).text == "clahe(2.0, 8)"


def test_gray_weighs_colours_by_luma_and_leaves_grey_alone() -> None:
    red = np.zeros((2, 2, 3), np.uint8)
    red[..., 0] = 255
    assert np.all(run("gray", red) == round(0.299 * 255))
    np.testing.assert_array_equal(run("gray", ramp()), ramp())


def test_resize_keeps_an_image_of_that_size_and_averages_areas_when_it_shrinks() -> None:
    board = np.kron(np.eye(8, dtype=np.uint8) * 255, np.ones((4, 4), np.uint8))
    np.testing.assert_array_equal(run("resize(32)", board), board)
    small = run("resize(8)", board)
    np.testing.assert_array_equal(small, np.eye(8) * 255)
    stripes = np.tile(np.array([0, 200], np.uint8), (32, 16))
    assert np.all(run("resize(16)", stripes) == 100)


def test_resize_grows_an_image_without_leaving_its_range() -> None:
    large = run("resize(64)", ramp(16, 16))
    assert large.shape == (64, 64)
    assert abs(float(large.mean()) - float(ramp(16, 16).mean())) < 1.5


def test_equalise_and_clahe_use_the_whole_range_of_a_narrow_image() -> None:
    image = ramp()
    whole = run("equalise", image)
    assert whole.min() == 0
    assert whole.max() == 255
    assert np.ptp(run("clahe(4.0)", image)) > np.ptp(image)


@pytest.mark.parametrize("step", ["equalise", "clahe"])
def test_steps_for_grey_images_take_colour_as_grey(step: str) -> None:
    grey = ramp()
    np.testing.assert_array_equal(run(step, np.dstack([grey] * 3)), run(step, grey))


def test_steps_leave_their_input_unchanged() -> None:
    arguments = {"gamma": "(2.0)"}
    for name in STEPS.names():
        image, mask = ramp(16, 16), np.eye(16, dtype=np.uint8)
        Pipeline.parse(name + arguments.get(name, ""), 16)(image, mask)
        np.testing.assert_array_equal(image, ramp(16, 16))
        np.testing.assert_array_equal(mask, np.eye(16))


def test_an_unknown_step_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"'equalize'.*equalise"):
        Pipeline.parse("gray | equalize", 16)


@pytest.mark.parametrize(
    "text", ["", "gray |", "| gray", "gray resize", "resize(", "resize(__import__('os'))", "a(b)c"]
)
def test_text_that_is_no_pipeline_is_refused_with_the_text(text: str) -> None:
    with pytest.raises(SettingError) as caught:
        Pipeline.parse(text, 16)
    assert repr(text) in str(caught.value)


BAD_ARGUMENTS = [
    "gray(3)", "resize(0)", "resize(-8)", "resize(2.5)", "resize('a')", "resize(8, 8)",
    "clahe('x')", "clahe(2.0, 0)", "gamma", "gamma(0)", "gamma(-1.0)", "lung_box(2)", "trim(300)",
    "mask(1)",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD_ARGUMENTS)
def test_arguments_that_a_step_cannot_take_are_refused_before_any_image_is_read(text: str) -> None:
    with pytest.raises(SettingError):
        Pipeline.parse(text, 16)


def test_a_size_below_one_is_refused_before_any_image_is_read() -> None:
    with pytest.raises(SettingError):
        Pipeline.parse("gray | resize", 0)
