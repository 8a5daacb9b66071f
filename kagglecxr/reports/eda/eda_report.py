"""Figures and tables of prepared data, in the workspace's folder `explore`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.core.files import read_table, write_table, write_text
from kagglecxr.core.progress import Reporter
from kagglecxr.core.seeding import generator
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.prepared import PreparedData
from kagglecxr.data.shift.adversarial_validation import Shift, compare_splits, describe
from kagglecxr.reports.eda import image_grids, image_sections, table_sections
from kagglecxr.reports.eda import tables as tables_of
from kagglecxr.reports.eda.charts import largest
from kagglecxr.reports.eda.pixel_statistics import PixelSummary, mean_grey, summarise
from kagglecxr.reports.eda.tables import extreme_images, labelled_duplicates
from kagglecxr.reports.page import PageSection, render_page
from kagglecxr.reports.run_figures import save_figure

PAGE = "index.html"
TEST = "test set"
SHIFT_PART = 3
"""Number of sections before that of the shift: those of classes, sources and sizes."""
NOT_ALWAYS = (
    "class-by-source", "shift", "extremes-*", "pixels-masked", "mean-by-source", "duplicates",
)  # fmt: skip
"""Patterns of the names of figures that not every data set has."""

Tables = Mapping[str, pd.DataFrame]
Summaries = Mapping[str, PixelSummary]


@dataclass(frozen=True)
class Exploration:
    """The page of an exploration, and what to know of it in one line."""

    page: Path
    summary: str


def explore_data(
    prepared: PreparedData, workspace: Workspace, reporter: Reporter, *, seed: int
) -> Exploration:
    """Writes `explore/`: PNG and CSV files, and a page that contains all of them.

    Of the test set only counts and measures are shown, no image; its labels are never read.

    Raises:
        MissingError: prepare was not run, or original images are missing.
        DataError: files of the workspace do not fit together, or cannot be read.
    """
    folder = workspace.root / "explore"
    pairs = read_table(workspace.require(workspace.duplicates, "prepare"))
    shift = compare_splits(prepared, generator(seed, "shift"))
    tables = _tables(prepared, pairs, shift)
    by_class, by_source = _summaries(prepared, tables["sources"], reporter)
    pixels = pd.DataFrame({name: of.pixels for name, of in by_class.items()})
    for name, table in {**tables, "pixels": pixels.rename_axis("grey").reset_index()}.items():
        write_table(folder / f"{name}.csv", table.round(6))
    # A dollar sign in a name does not start a formula.
    with mpl.rc_context({"text.parse_math": False}):
        parts = _sections(prepared, tables, by_class, by_source, seed)
        if shift is not None:
            parts.insert(SHIFT_PART, table_sections.shift_section(shift, tables["shift"]))
        drawn = _save(parts, folder, reporter)
    title = f"Exploration of {prepared.competition.title or prepared.competition.name}"
    introduction = (
        f"{' '.join(prepared.summary)} What the training images show before any model is trained, "
        "and what could mislead one. Of the test set only counts and measures are shown, no image."
    )
    write_text(folder / PAGE, render_page(title, introduction, parts, drawn))
    page = folder / PAGE
    opened = f"Explored {len(prepared.index.table)} images; open {page}."
    return Exploration(page, opened if shift is None else f"{opened} {describe(shift)}")


def _tables(prepared: PreparedData, pairs: pd.DataFrame, shift: Shift | None) -> Tables:
    index, classes = prepared.index, prepared.competition.classes.names
    grey = mean_grey(prepared.cache.measures["thumbnail"])
    return {
        "classes": tables_of.class_counts(index, classes),
        "sources": tables_of.class_by_source(index, classes),
        "sizes": tables_of.image_sizes(index),
        "shift": tables_of.shift_table(shift),
        "brightness": extreme_images(index, grey, classes),
        "duplicates": labelled_duplicates(pairs, index),
    }


def _summaries(
    prepared: PreparedData, sources: pd.DataFrame, reporter: Reporter
) -> tuple[Summaries, Summaries]:
    """Returns summaries of each class and the test set, and of the largest sources, if known."""
    table = prepared.index.table
    is_train = (table["split"] == "train").to_numpy()
    source = table["source"].replace("", tables_of.UNKNOWN)
    sets: dict[tuple[str, str], npt.NDArray[np.bool_]] = {
        ("class", name): prepared.index.with_label(name) & is_train
        for name in prepared.competition.classes.names
    }
    sets["class", TEST] = ~is_train
    for name in largest(sources.groupby("source")["images"].sum()):
        sets["source", name] = (source == name).to_numpy() & is_train
    sets = {name: rows for name, rows in sets.items() if rows.any()}
    with reporter.bar("Averaging images", len(table)) as bar:
        found = summarise(prepared.cache.images, sets, bar)
    by_class, by_source = (
        {name: of for (kind, name), of in found.items() if kind == wanted}
        for wanted in ("class", "source")
    )
    return by_class, by_source


def _sections(
    prepared: PreparedData, tables: Tables, by_class: Summaries, by_source: Summaries, seed: int
) -> list[PageSection]:
    index = prepared.index
    train = index.rows("train")
    labels = index.column("label", train)
    sides = zip(index.column("width", train), index.column("height", train), strict=True)
    majority, by_origin, by_size = (
        tables_of.accuracy_from_fact(labels, facts, prepared.fold)
        for facts in (
            [""] * len(labels),
            index.column("source", train),
            [" × ".join(side) for side in sides],
        )
    )
    has_mask = np.array(index.column("mask", train)) != ""
    pipeline = prepared.pipeline_text
    of_train = {name: of for name, of in by_class.items() if name != TEST}
    return [
        table_sections.classes_section(tables["classes"]),
        table_sections.sources_section(tables["sources"], by_origin, majority),
        table_sections.sizes_section(tables["sizes"], by_size, majority),
        image_sections.extremes_section(
            image_grids.read_extremes(prepared, tables["brightness"]),
            with_masks=bool(has_mask.any()),
        ),
        image_sections.pixels_section(
            by_class,
            TEST,
            pipeline,
            image_grids.read_sample(prepared, train, seed),
            image_grids.read_sample(prepared, train[has_mask], seed),
        ),
        image_sections.means_section(of_train, by_source, pipeline),
        image_sections.duplicates_section(
            tables["duplicates"], image_grids.read_pairs(prepared, tables["duplicates"])
        ),
    ]


def _save(parts: Sequence[PageSection], folder: Path, reporter: Reporter) -> dict[str, bytes]:
    """Writes the PNG of each figure and deletes those of an earlier exploration only."""
    pictures = [picture for part in parts for picture in part.pictures]
    written = {}
    with reporter.bar("Drawing", len(pictures)) as bar:
        for picture in pictures:
            path = folder / f"{picture.name}.png"
            save_figure(picture.figure, path)
            written[picture.name] = path.read_bytes()
            bar.advance()
    for pattern in NOT_ALWAYS:
        for old in folder.glob(f"{pattern}.png"):
            if old.stem not in written:
                old.unlink()
    return written
