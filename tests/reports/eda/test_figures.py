"""The figures of an exploration: what is drawn, in odd cases too."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

from kagglecxr.reports.eda.charts import (
    OTHER,
    SHADES,
    TEST,
    class_by_source_bars,
    class_counts_bars,
    image_sizes_dots,
    largest,
    pixel_curves,
)
from kagglecxr.reports.eda.image_grids import (
    CaptionedImage,
    distribution_rows,
    extremes_grid,
    mean_images_row,
    pairs_grid,
)
from kagglecxr.reports.eda.tables import class_by_source, class_counts, image_sizes
from tests.reports.eda.test_tables import CLASSES, make_index


def texts(figure: Figure) -> list[str]:
    """The labels written into the panels of a figure."""
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def pictures(figure: Figure) -> list[npt.NDArray[np.uint8]]:
    """The images in the panels of a figure, in order."""
    return [np.asarray(drawn.get_array()) for axes in figure.axes for drawn in axes.images]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_each_class_has_a_bar_and_the_test_part_one_of_its_own_colour() -> None:
    index = make_index([{"label": "a"}] * 3 + [{"label": "b"}, {"split": "test"}])
    figure = class_counts_bars(class_counts(index, CLASSES))
    assert texts(figure) == ["3 (75%)", "1 (25%)", "1"]
    bars = figure.axes[0].patches
    assert [bar.get_width() for bar in bars] == [3, 1, 1]  # type: ignore[attr-defined]
    colours = [bar.get_facecolor() for bar in bars]
    assert colours[0] == colours[1] != colours[2]


def test_the_sources_of_a_class_fill_its_bar() -> None:
    lines = [{"label": "a", "source": of} for of in ("x", "y", "y")]
    index = make_index([*lines, {"label": "b", "source": "x"}])
    figure = class_by_source_bars(class_by_source(index, CLASSES))
    assert legend(figure) == ["x", "y"]
    assert texts(figure) == ["33%", "100%", "67%", ""]
    widths = [bar.get_width() for bar in figure.axes[0].patches]  # type: ignore[attr-defined]
    assert sum(widths) == pytest.approx(2.0)


def test_more_sources_than_colours_are_taken_together() -> None:
    lines = [{"label": "a", "source": f"s{number:02}"} for number in range(len(SHADES) + 5)]
    figure = class_by_source_bars(class_by_source(make_index(lines), ["a"]))
    assert len(legend(figure)) == len(SHADES) + 1
    assert legend(figure)[-1] == OTHER
    widths = [bar.get_width() for bar in figure.axes[0].patches]  # type: ignore[attr-defined]
    assert sum(widths) == pytest.approx(1.0)


def test_the_largest_names_come_first_and_equals_by_their_name() -> None:
    images = pd.Series({"z": 2, "b": 5, "a": 2})
    assert largest(images) == ["b", "a", "z"]
    assert largest(images, 1) == ["b"]
    assert largest(images.iloc[:0]) == []


def test_sizes_have_a_panel_a_class_with_common_limits() -> None:
    lines = [{"label": "a"}, {"label": "a", "width": "900"}, {"label": "b"}, {"split": "test"}]
    figure = image_sizes_dots(image_sizes(make_index(lines)))
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[0] == "a\n2 sizes, most often 20 × 10 (1)"
    assert titles[1:3] == ["b\none size, 20 × 10 (1)", "test set\none size, 20 × 10 (1)"]
    assert len({axes.get_xlim() for axes in figure.axes}) == 1


def test_the_test_parts_curve_is_dashed() -> None:
    even = np.full(256, 1 / 256)
    figure = pixel_curves({"a": even, "b": even, "test set": even}, "test set")
    lines = figure.axes[0].lines
    assert [line.get_linestyle() for line in lines] == ["-", "-", "--"]
    assert lines[2].get_color() == TEST
    assert len({line.get_color() for line in lines}) == 3


def test_many_classes_and_black_images_can_be_drawn() -> None:
    black = np.eye(256)[0]
    figure = pixel_curves({str(number): black for number in range(20)}, "test set")
    assert len(figure.axes[0].lines) == 20


GREY = np.arange(200, dtype=np.uint8).reshape(20, 10)
MASK = np.zeros_like(GREY)
MASK[5:15, 2:8] = 255
WITH, WITHOUT = CaptionedImage("with", GREY, MASK), CaptionedImage("without", GREY, None)


def test_an_image_stands_next_to_its_mask_contour_and_lungs() -> None:
    drawn = pictures(extremes_grid([WITH], with_masks=True))
    assert [picture.shape for picture in drawn] == [(20, 10), (20, 10), (20, 10, 3), (20, 10)]
    np.testing.assert_array_equal(drawn[0], GREY)
    np.testing.assert_array_equal(drawn[1], MASK)
    np.testing.assert_array_equal(drawn[3], np.where(MASK > 0, GREY, 0))


def test_an_image_without_a_mask_is_noted() -> None:
    figure = extremes_grid([WITH, WITHOUT], with_masks=True)
    assert texts(figure) == ["this image has no mask"]
    assert len(pictures(figure)) == 5
    assert [axes.get_ylabel() for axes in figure.axes[::4]] == ["with", "without"]


def test_without_masks_the_images_stand_in_one_row() -> None:
    figure = extremes_grid([WITHOUT, WITHOUT], with_masks=False)
    assert len(pictures(figure)) == 2
    assert [axes.get_title() for axes in figure.axes] == ["without", "without", ""]


def heights(axes: Axes) -> npt.NDArray[np.float64]:
    """The share of each grey value, as a panel draws it."""
    (drawn,) = axes.patches
    assert isinstance(drawn, StepPatch)
    return np.asarray(drawn.get_data().values)


def test_distributions_before_and_after() -> None:
    figure = distribution_rows([WITH, WITHOUT], within_masks=False)
    assert len(pictures(figure)) == 4
    assert [sum(heights(panel)) for panel in figure.axes[1::2]] == pytest.approx([1.0] * 4)


def test_distributions_within_the_mask_count_its_pixels_alone() -> None:
    figure = distribution_rows([WITH], within_masks=True)
    np.testing.assert_array_equal(pictures(figure)[0], np.where(MASK > 0, GREY, 0))
    assert np.flatnonzero(heights(figure.axes[1])).tolist() == sorted(GREY[MASK > 0].tolist())


def test_an_empty_mask_can_be_drawn() -> None:
    empty = CaptionedImage("empty", GREY, np.zeros_like(GREY))
    assert not pictures(distribution_rows([empty], within_masks=True))[0].any()
    assert len(pictures(extremes_grid([empty], with_masks=True))) == 4


def test_mean_images_are_four_a_row_in_grey_or_colour() -> None:
    grey, colour = np.full((4, 4), 9.6), np.full((4, 4, 3), 9.6)
    figure = mean_images_row({**{str(n): (grey, 1000) for n in range(5)}, "c": (colour, 1)})
    assert len(figure.axes) == 8
    drawn = pictures(figure)
    assert (drawn[0] == 10).all()
    assert drawn[-1].shape == (4, 4, 3)
    assert figure.axes[0].get_title() == "0\n1,000 images"


def test_pairs_stand_side_by_side() -> None:
    figure = pairs_grid([(WITH, WITHOUT)] * 3)
    assert len(pictures(figure)) == 6
    assert [axes.get_title() for axes in figure.axes[:2]] == ["with", "without"]
