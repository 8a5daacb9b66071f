"""Sections of the exploration about its tables, with what to look for in each."""

from collections.abc import Callable

import pandas as pd

from kagglecxr.data.shift.adversarial_validation import Shift, describe, show_number
from kagglecxr.reports.eda.charts import (
    class_by_source_bars,
    class_counts_bars,
    image_sizes_dots,
    shift_bars,
)
from kagglecxr.reports.page import PageFigure, PageSection

SIZES_SHOWN = 10
NO_SOURCES = (
    "The data do not say where an image comes from. If the classes were collected at different "
    "places, a model may tell the places apart instead of the lungs, and no table here would show "
    "it: look at the mean images and the corners below."
)


def classes_section(counts: pd.DataFrame) -> PageSection:
    """Returns the section of class counts; see `class_counts`."""
    train = counts[counts["split"] == "train"]
    ratio = train["images"].max() / max(train["images"].min(), 1)
    sentences = [
        f"The training set has {train['images'].sum():,} images of {len(train)} classes; the "
        f"largest class has {ratio:.1f} times the images of the smallest. The rarer a class, the "
        "less plain accuracy says of it: look at balanced accuracy and at the recall of each class."
    ]
    masks = train["masks"] / train["images"].clip(lower=1)
    if masks.min() == 1.0:
        sentences.append("All of them have a lung mask.")
    elif masks.max() > 0:
        sentences.append(
            f"{train['masks'].sum():,} training images have a lung mask: from {masks.min():.0%} of "
            f"a class to {masks.max():.0%}. Where one class has masks and another lacks them, "
            "having one tells the class: never mask only the images that bring a mask."
        )
    table = counts.assign(
        split=counts["split"],
        share=[f"{share:.1%}" for share in counts["share"]],
        **{"class": counts["class"].replace("", "(not shown)")},
    ).rename(columns={"share": "share of the split"})
    alt = "; ".join(f"{row['class']}: {row['images']} images" for row in train.to_dict("records"))
    caption = "Groups in the table are patients, or sets of duplicates, that no split may part."
    return PageSection(
        "Classes",
        sentences,
        [PageFigure("class-counts", class_counts_bars(counts), f"Bars. {alt}.", caption)],
        table,
    )


def sources_section(sources: pd.DataFrame, guessed: float, majority: float) -> PageSection:
    """Returns the section of the sources of each class; see `class_by_source`.

    `guessed` is the accuracy of predicting the class from the source (see `accuracy_from_fact`),
    `majority` that of always predicting the most frequent class.
    """
    title = "Class by source"
    if sources.empty:
        return PageSection(title, [NO_SOURCES])
    sentences = [
        "A class that comes from one source only can be told by the source: by its scanner, its "
        "printed letters, its borders. The score is then high, and worth nothing elsewhere."
    ]
    alone = sources[sources["share"] == 1.0]
    sentences += [
        f"All {row['images']:,} images of {row['class']} come from {row['source']}."
        for row in alone.to_dict("records")
    ]
    brings = sources.groupby("source", sort=True)["class"].agg(list)
    sentences += [
        f"{source} has images of no class but {names[0]}."
        for source, names in brings.items()
        if len(names) == 1
    ]
    sentences.append(
        f"Guessed from the source alone, fold by fold, {guessed:.0%} of the training images get "
        f"their right class; always saying the most frequent class, {majority:.0%}. The wider "
        "apart, the more a model gains by reading the source."
    )
    alt = "; ".join(
        f"{row['class']}: {row['share']:.0%} from {row['source']}"
        for row in sources.to_dict("records")
    )
    caption = "Training images; a bar is a class, a colour a source."
    table = sources.assign(share=[f"{share:.1%}" for share in sources["share"]])
    return PageSection(
        title,
        sentences,
        [PageFigure("class-by-source", class_by_source_bars(sources), f"Bars. {alt}.", caption)],
        table.rename(columns={"share": "share of the class"}),
    )


def accuracy_by_size(guessed: float, majority: float) -> str:
    """Returns the sentence on classes guessed from the size; see `sources_section`."""
    return (
        f"Guessed from the size alone, fold by fold, {guessed:.0%} of the training images get "
        f"their right class; always saying the most frequent class, {majority:.0%}."
    )


def sizes_section(sizes: pd.DataFrame, told_by_size: str) -> PageSection:
    """Returns the section of file sizes, see `image_sizes`, and of what they give away."""
    kinds = sizes[["width", "height"]].drop_duplicates()
    if len(kinds) == 1:
        width, height = kinds.iloc[0]
        sentence = f"Every image has {width} × {height} pixels: its size says nothing of its class."
    else:
        sentence = (
            f"There are {len(kinds):,} different sizes. Look for a class whose dots lie elsewhere: "
            "resizing to a square stretches each class differently, which a model can read. "
            f"{told_by_size}"
        )
    table = sizes.assign(**{"class": sizes["class"].replace("", "(not shown)")})
    most = table.sort_values("images", ascending=False, kind="stable").head(SIZES_SHOWN)
    alt = f"Width and height of the image files, a panel a class; {len(kinds)} different sizes."
    caption = (
        "Sizes of the files, before any resizing; a larger dot is a more frequent size. "
        f"The table holds the most frequent {min(SIZES_SHOWN, len(table))} lines of sizes.csv."
    )
    return PageSection(
        "Image sizes",
        [sentence],
        [PageFigure("image-sizes", image_sizes_dots(sizes), alt, caption)],
        most,
    )


def shift_section(shift: Shift, table: pd.DataFrame) -> PageSection:
    """Returns the section of how test images differ from training images; see `shift_table`."""
    sentences = [
        describe(shift),
        "A classifier was trained to tell the test images from the training images, and scored on "
        "images of other patients (adversarial validation). By acquisition it is given the size, "
        "grey values, borders, sharpness and, where known, the source; by content, what a small "
        "copy of the image shows, without its exposure. Other shares of the classes in the test "
        "set count as another content too. An AUC below 0.5 is of sets that are more alike than by "
        "chance, such as a rehearsal test set with the training set's shares of classes.",
    ]
    formats: dict[str, Callable[[float], str]] = {"train": show_number, "test": show_number}
    formats |= dict.fromkeys(("auc", "low", "high"), "{:.2f}".format)
    shown = table.assign(
        **{
            column: ["" if pd.isna(value) else show(value) for value in table[column]]
            for column, show in formats.items()
        }
    ).rename(columns={"told_by": "told by"})
    alt = "; ".join(f"{row['told by']}: {row['auc']}" for row in shown.to_dict("records"))
    caption = (
        "AUC of telling test from training images, 0.5 is chance; the two classifiers with their "
        "95 % interval, then each feature alone. The table has the medians of the training and "
        "test images, and of a source or file type its share."
    )
    return PageSection(
        "Training and test images",
        sentences,
        [PageFigure("shift", shift_bars(table), f"Bars of AUC. {alt}.", caption)],
        shown,
    )
