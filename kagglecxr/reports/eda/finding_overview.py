"""Sections of the exploration about findings: how many, together, and in which sources."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from kagglecxr.reports.cooccurrence import share_heatmaps
from kagglecxr.reports.eda.charts import WIDTH, class_counts_bars, largest
from kagglecxr.reports.eda.finding_tables import NOT_ALL_KNOWN
from kagglecxr.reports.eda.image_grids import CaptionedImage, examples_grid
from kagglecxr.reports.eda.table_sections import NO_SOURCES
from kagglecxr.reports.page import PageFigure, PageSection
from kagglecxr.reports.run_figures import TRAIN

RARE = 30
"""Images below which a finding's scores are of a handful of images in each fold."""


def findings_section(counts: pd.DataFrame, images: int, none: str) -> PageSection:
    """Returns the section of how many images have each finding; see `finding_counts`."""
    train = counts[counts["split"] == "train"]
    of_findings = train[train["class"] != none]
    sentences = [
        f"The training set has {images:,} images and {len(of_findings)} findings; an image may "
        "have several of them, so that shares do not sum to 1."
    ]
    rare = of_findings[of_findings["images"] < RARE]
    if len(rare):
        named = ", ".join(f"{row['class']} {row['images']:,}" for row in rare.to_dict("records"))
        sentences.append(
            f"Rare: {named}. A mean over findings counts each of them as much as a frequent one, "
            "and their scores vary most between folds."
        )
    if of_findings["not_known"].any():
        sentences.append(
            "Labels that are not known, such as uncertain ones that are ignored, are in no share "
            "on this page."
        )
    table = counts.assign(
        share=[f"{share:.1%}" for share in counts["share"]],
        **{"class": counts["class"].replace("", "(not shown)")},
    ).rename(columns={"class": "finding", "not_known": "not known", "share": "share where known"})
    alt = "; ".join(f"{row['class']}: {row['images']} images" for row in train.to_dict("records"))
    caption = "Groups in the table are patients, or sets of duplicates, that no split may part."
    picture = PageFigure("class-counts", class_counts_bars(counts, "finding"), f"{alt}.", caption)
    return PageSection("Findings", sentences, [picture], table)


def examples_section(images: Sequence[CaptionedImage]) -> PageSection:
    """Returns the section of an image of each finding, and of one without any."""
    titles = "; ".join(" ".join(one.title.split()) for one in images)
    caption = (
        "Training images drawn at random from those with the finding and the fewest others, which "
        "stand behind a plus sign; ? is before one that is not known."
    )
    picture = PageFigure("examples", examples_grid(images), f"Images: {titles}.", caption)
    sentences = ["Is the finding where its name says? Labels of large collections are often wrong."]
    return PageSection("An example of each finding", sentences, [picture])


def together_section(
    numbers: pd.DataFrame, pairs: pd.DataFrame, findings: Sequence[str]
) -> PageSection:
    """Returns the section of findings of one image.

    Args:
        numbers: see `findings_per_image`.
        pairs: see `cooccurrence_table`.
        findings: their names in order.
    """
    known = numbers[numbers["findings"] != NOT_ALL_KNOWN]
    several = int(known.loc[known["findings"].astype(int) > 1, "images"].sum())
    sentences = [
        f"Of {known['images'].sum():,} images whose findings are all known, {several:,} have "
        "several. A model that has learned one of two findings that stand together predicts the "
        "other one along with it: look at how it does on images that have only one of both."
    ]
    others = pairs[(pairs["finding"] != pairs["with"]) & (pairs["both"] > 0)]
    often = others.sort_values(["share", "both"], ascending=False, kind="stable")
    sentences += [
        f"Of {row['known']:,} images with {row['finding']}, {row['both']:,} have {row['with']} too "
        f"({row['share']:.0%})."
        for row in often.head(3).to_dict("records")
    ]
    names = list(findings)
    shares, images = (
        pairs.set_index(["finding", "with"])[column].unstack().loc[names, names]
        for column in ("share", "both")
    )
    unit = "share of the row's images"
    figure = share_heatmaps({"Findings together": shares.to_numpy()}, names, names, unit)
    alt = "; ".join(
        f"{row['finding']} with {row['with']}: {row['share']:.0%}"
        for row in often.to_dict("records")
    )
    pictures = [
        PageFigure(
            "findings-per-image", _number_bars(numbers),
            "; ".join(f"{row['findings']}: {row['images']} images"
                      for row in numbers.to_dict("records")),
            "Number of findings an image.",
        ),
        PageFigure(
            "cooccurrence", figure, f"Heat map. {alt}.",
            "Of the training images with a finding (row), the share that have another one (column) "
            "where that is known. The table has the numbers of images with both.",
        ),
    ]  # fmt: skip
    table = images.map("{:,}".format).rename_axis(None, axis=1).reset_index()
    return PageSection("Findings together", sentences, pictures, table)


def _number_bars(numbers: pd.DataFrame) -> Figure:
    figure = Figure(figsize=(WIDTH, 2.8), layout="constrained")
    axes = figure.subplots()
    bars = axes.bar(numbers["findings"], numbers["images"], color=TRAIN)
    labels = [f"{row.images:,}\n({row.share:.0%})" for row in numbers.itertuples()]
    axes.bar_label(bars, labels, padding=3, fontsize=9)
    axes.set(xlabel="findings of an image", ylabel="images")
    axes.set_ylim(0, float(numbers["images"].max()) * 1.25)
    return figure


def finding_sources_section(
    by_source: pd.DataFrame, facts: pd.DataFrame, findings: Sequence[str]
) -> PageSection:
    """Returns the section of how frequent findings are in each source.

    Args:
        by_source: see `finding_by_source`.
        facts: `finding,by,cramers_v,auc`, of which those by "source" are shown.
        findings: their names in order.
    """
    title = "Findings by source"
    if by_source.empty:
        return PageSection(title, [NO_SOURCES])
    told = facts[facts["by"] == "source"].set_index("finding")
    count = by_source["source"].nunique()
    known = by_source.groupby("finding")["known"].sum().max()
    by_chance = np.sqrt((count - 1) / max(known - 1, 1))
    sentences = [
        "A finding that is frequent in one source and rare in another can be told by the source: "
        "by its scanner, its printed letters, its borders. The score is then high, and worth "
        "nothing elsewhere.",
        told_by("source", told["auc"].to_numpy(np.float64), list(told.index)),
        "Cramer's V in the table is 0 where a finding is equally frequent in all sources, about "
        f"{by_chance:.2f} where they differ by chance alone, and 1 where the source gives it away.",
    ]
    shown = largest(by_source.groupby("source")["known"].max())
    shares = by_source.pivot_table("share", "finding", "source", sort=False, dropna=False)
    shares = shares.reindex(index=list(findings), columns=shown)
    panels = {"Share of each source's images": shares.to_numpy(np.float64)}
    alt = "; ".join(
        f"{row['finding']} in {row['source']}: {row['share']:.0%}"
        for row in by_source[by_source["known"] > 0].to_dict("records")
    )
    caption = "Training images of which the finding is known; a column is a source" + (
        f", the {len(shown)} largest of {count}." if count > len(shown) else "."
    )
    picture = PageFigure(
        "findings-by-source",
        share_heatmaps(panels, findings, shown, "share of the source's images"),
        f"Heat map. {alt}.",
        caption,
    )
    table = shares.map(lambda share: "" if np.isnan(share) else f"{share:.1%}")
    table.insert(0, "Cramer's V", [_digits(value) for value in told["cramers_v"]])
    table.insert(1, "AUC by source", [_digits(value) for value in told["auc"]])
    return PageSection(title, sentences, [picture], table.rename_axis(None, axis=1).reset_index())


def told_by(fact: str, auc: npt.NDArray[np.float64], findings: Sequence[str]) -> str:
    """Returns the sentence on findings guessed from a fact of the image; see `auc_from_fact`."""
    if not np.isfinite(auc).any():
        return f"No finding has images with and without it in one fold, to guess by the {fact}."
    most = int(np.nanargmax(auc))
    return (
        f"Guessed from the {fact} alone, fold by fold, findings have a mean AUC of "
        f"{np.nanmean(auc):.2f}, {findings[most]} the highest with {auc[most]:.2f}; 0.5 is chance. "
        f"The higher, the more a model gains by reading the {fact}."
    )


def _digits(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.2f}"
