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
from kagglecxr.reports.eda import (
    finding_overview,
    finding_tables,
    image_grids,
    image_sections,
    table_sections,
)
from kagglecxr.reports.eda import tables as tables_of
from kagglecxr.reports.eda.charts import largest
from kagglecxr.reports.eda.pixel_statistics import PixelSummary, mean_grey, summarise
from kagglecxr.reports.eda.tables import extreme_images, labelled_duplicates
from kagglecxr.reports.page import PageSection, render_page
from kagglecxr.reports.run_figures import save_figure

PAGE = "index.html"
TEST = "test set"
NOT_ALWAYS = (
    "class-by-source", "findings-*", "cooccurrence", "examples", "shift", "extremes-*",
    "pixels-masked", "mean-by-source", "duplicates",
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
        parts = (
            _finding_sections(prepared, tables, seed)
            if prepared.competition.classes.multilabel
            else _class_sections(prepared, tables)
        )
        if shift is not None:
            parts.append(table_sections.shift_section(shift, tables["shift"]))
        parts += _image_sections(prepared, tables, by_class, by_source, seed)
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
    index, classes = prepared.index, prepared.competition.classes
    grey = mean_grey(prepared.cache.measures["thumbnail"])
    own = _finding_tables(prepared) if classes.multilabel else _class_tables(prepared)
    return {
        **own,
        "sizes": tables_of.image_sizes(index, multilabel=classes.multilabel),
        "shift": tables_of.shift_table(shift),
        "brightness": extreme_images(index, grey, classes.names),
        "duplicates": labelled_duplicates(pairs, index),
    }


def _class_tables(prepared: PreparedData) -> Tables:
    index, classes = prepared.index, prepared.competition.classes.names
    return {
        "classes": tables_of.class_counts(index, classes),
        "sources": tables_of.class_by_source(index, classes),
    }


def _finding_tables(prepared: PreparedData) -> Tables:
    index, classes = prepared.index, prepared.competition.classes
    truth, findings = prepared.findings(), list(classes.names)
    sources, sizes = _sources_and_sizes(prepared)
    facts = {"source": sources, "size": sizes} if any(sources) else {"size": sizes}
    told = [
        pd.DataFrame(
            {
                "finding": findings,
                "by": name,
                "cramers_v": finding_tables.cramers_v(truth, cells),
                "auc": finding_tables.auc_from_fact(truth, cells, prepared.fold),
            }
        )
        for name, cells in facts.items()
    ]
    return {
        "classes": finding_tables.finding_counts(index, truth, findings, classes.none),
        "numbers": finding_tables.findings_per_image(truth),
        "cooccurrence": finding_tables.cooccurrence_table(truth, findings),
        "sources": finding_tables.finding_by_source(truth, sources, findings),
        "facts": pd.concat(told, ignore_index=True),
    }


def _sources_and_sizes(prepared: PreparedData) -> tuple[list[str], list[str]]:
    """Returns both facts of each training image as text."""
    index, train = prepared.index, prepared.index.rows("train")
    sides = zip(index.column("width", train), index.column("height", train), strict=True)
    return index.column("source", train), [" × ".join(side) for side in sides]


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


def _class_sections(prepared: PreparedData, tables: Tables) -> list[PageSection]:
    labels = prepared.index.column("label", prepared.index.rows("train"))
    majority, by_source, by_size = (
        tables_of.accuracy_from_fact(labels, facts, prepared.fold)
        for facts in ([""] * len(labels), *_sources_and_sizes(prepared))
    )
    told_by_size = table_sections.accuracy_by_size(by_size, majority)
    return [
        table_sections.classes_section(tables["classes"]),
        table_sections.sources_section(tables["sources"], by_source, majority),
        table_sections.sizes_section(tables["sizes"], told_by_size),
    ]


def _finding_sections(prepared: PreparedData, tables: Tables, seed: int) -> list[PageSection]:
    truth, classes, facts = prepared.findings(), prepared.competition.classes, tables["facts"]
    findings = list(classes.names)
    rows = finding_tables.example_rows(truth, generator(seed, "examples"))
    shown = dict(zip([*findings, classes.none], rows.tolist(), strict=True))
    by_size = facts.loc[facts["by"] == "size", "auc"].to_numpy(np.float64)
    told_by_size = finding_overview.told_by("size", by_size, findings)
    return [
        finding_overview.findings_section(tables["classes"], len(truth), classes.none),
        finding_overview.examples_section(image_grids.read_examples(prepared, shown)),
        finding_overview.together_section(tables["numbers"], tables["cooccurrence"], findings),
        finding_overview.finding_sources_section(tables["sources"], facts, findings),
        table_sections.sizes_section(tables["sizes"], told_by_size),
    ]


def _image_sections(
    prepared: PreparedData, tables: Tables, by_class: Summaries, by_source: Summaries, seed: int
) -> list[PageSection]:
    train = prepared.index.rows("train")
    has_mask = np.array(prepared.index.column("mask", train)) != ""
    pipeline = prepared.pipeline_text
    what = "finding" if prepared.competition.classes.multilabel else "class"
    of_train = {name: of for name, of in by_class.items() if name != TEST}
    return [
        image_sections.extremes_section(
            image_grids.read_extremes(prepared, tables["brightness"]),
            what,
            with_masks=bool(has_mask.any()),
        ),
        image_sections.pixels_section(
            by_class,
            TEST,
            pipeline,
            image_grids.read_sample(prepared, train, seed),
            image_grids.read_sample(prepared, train[has_mask], seed),
        ),
        image_sections.means_section(of_train, by_source, what, pipeline),
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
