"""Sections of the exploration about images, with what to look for in each."""

from collections.abc import Mapping, Sequence

import pandas as pd

from kagglecxr.reports.eda.charts import SHADES, pixel_curves
from kagglecxr.reports.eda.image_grids import (
    CaptionedImage,
    distribution_rows,
    extremes_grid,
    mean_images_row,
    pairs_grid,
)
from kagglecxr.reports.eda.pixel_statistics import PixelSummary
from kagglecxr.reports.page import PageFigure, PageSection


def extremes_section(
    images: Mapping[str, Sequence[CaptionedImage]], what: str, *, with_masks: bool
) -> PageSection:
    """Returns the section of the darkest, median and brightest image of each class or finding."""
    sentences = [
        "By the mean grey value of the file, before any equalisation. Look for images that are no "
        "chest X-ray, are inverted or over-exposed, and for letters, tubes and borders."
    ]
    if with_masks:
        sentences.append(
            "Look at the contours: does the mask hold both lungs, and the whole of each? Dense "
            "parts that a mask leaves out are often the disease itself."
        )
    pictures = []
    for number, (name, shown) in enumerate(images.items(), start=1):
        some_mask = any(one.mask is not None for one in shown)
        titles = "; ".join(" ".join(one.title.split()) for one in shown)
        pictures.append(
            PageFigure(
                f"extremes-{number}",
                extremes_grid(shown, with_masks=some_mask),
                f"{name}: {titles}{', with mask, contour and masked image' if some_mask else ''}.",
                f"{name}: the darkest, the median and the brightest training image."
                + (" None of them has a mask." if with_masks and not some_mask else ""),
            )
        )
    return PageSection(f"Darkest, median and brightest image of each {what}", sentences, pictures)


def pixels_section(
    summaries: Mapping[str, PixelSummary],
    test: str,
    pipeline: str,
    images: Sequence[CaptionedImage],
    masked_images: Sequence[CaptionedImage],
) -> PageSection:
    """Returns the section of gray value distributions, before and after equalisation.

    `test` is the name of the test set among the summaries; images are samples of the training set.
    """
    sentences = [
        "Look for a class, or a test set, whose curve lies apart from the others: a model can "
        "then tell it by exposure alone, and a test set that differs from the training set lowers "
        "every score. Equalisation makes the distributions alike, at the cost of more noise."
    ]
    curves = pixel_curves({name: of.pixels for name, of in summaries.items()}, test)
    pictures = [
        PageFigure(
            "pixels-by-class",
            curves,
            f"Curves of grey values: {', '.join(summaries)}.",
            f"All pixels of all prepared images ({pipeline}). Black and white ends may reach "
            "beyond the frame: borders and letters are often of them.",
        ),
        PageFigure(
            "pixels-equalised",
            distribution_rows(images, within_masks=False),
            "Images drawn at random and the distribution of their pixels, before and after "
            "histogram equalisation.",
            "Training images drawn at random, as their files are, and after cv2.equalizeHist; all "
            "pixels are counted. Bars far above the rest are cut.",
        ),
    ]
    if masked_images:
        pictures.append(
            PageFigure(
                "pixels-masked",
                distribution_rows(masked_images, within_masks=True),
                "Masked images drawn at random and the distribution of their pixels inside the "
                "mask, before and after histogram equalisation.",
                "Masked training images drawn at random, before and after cv2.equalizeHist; only "
                "pixels inside the mask are counted. The black outside takes no part in the "
                "equalisation either.",
            )
        )
    return PageSection("Grey values", sentences, pictures)


def means_section(
    classes: Mapping[str, PixelSummary],
    sources: Mapping[str, PixelSummary],
    what: str,
    pipeline: str,
) -> PageSection:
    """Returns the section of mean images of each class or finding, and source, after `pipeline`."""
    sentences = [
        "The mean of hundreds of chest X-rays is a blurred chest. What stays sharp is the same in "
        "all of them: letters in a corner, a black border, one cropping. If the classes differ in "
        "that, or the sources do and the classes come from different sources, a model will use it."
    ]
    pictures = []
    for name, called, summaries in (("class", what, classes), ("source", "source", sources)):
        if summaries:
            means = {one: (of.mean, of.images) for one, of in summaries.items()}
            pictures.append(
                PageFigure(
                    f"mean-by-{name}",
                    mean_images_row(means),
                    f"Mean images: {', '.join(summaries)}.",
                    f"Mean of all prepared training images of each {called} ({pipeline}); "
                    f"{len(summaries)} with the most images are shown."
                    if name == "source" and len(summaries) == len(SHADES)
                    else f"Mean of all prepared training images of each {called} ({pipeline}).",
                )
            )
    return PageSection("Mean images", sentences, pictures)


def duplicates_section(
    duplicates: pd.DataFrame, shown: Sequence[tuple[CaptionedImage, CaptionedImage]]
) -> PageSection:
    """Returns the section of duplicates, see `labelled_duplicates`; some pairs are shown."""
    title = "Duplicates"
    if duplicates.empty:
        return PageSection(title, ["No two images were found to be copies of one another."])
    train = duplicates[(duplicates["first_label"] != "") & (duplicates["second_label"] != "")]
    hidden = len(duplicates) - len(train)
    torn = int((train["first_label"] != train["second_label"]).sum())
    sentences = [
        f"{len(duplicates):,} pairs of images show the same, or nearly"
        + (f"; the {hidden:,} of the test set are not shown" if hidden else "")
        + ". The two of a pair are in one group: no fold trains on one and scores the other."
    ]
    if torn:
        sentences.append(
            f"{torn:,} pairs carry two different labels: at least one of the two is wrong."
        )
    if not shown:
        return PageSection(title, sentences)
    alt = "Pairs of images side by side: " + "; ".join(
        " and ".join(" ".join(one.title.split()) for one in pair) for pair in shown
    )
    caption = "Pairs with two labels first, then the least alike: those a person should judge."
    return PageSection(
        title, sentences, [PageFigure("duplicates", pairs_grid(shown), f"{alt}.", caption)]
    )
