"""Reads the image files that an exploration shows, as they were before `prepare`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.core.errors import MissingError
from kagglecxr.core.randomness import generator
from kagglecxr.data.pixels.images import read_image
from kagglecxr.data.pixels.masks import read_mask
from kagglecxr.data.pixels.preprocessing import Pipeline
from kagglecxr.data.preparation import Prepared
from kagglecxr.reports.exploration.choice import drawn_rows
from kagglecxr.reports.exploration.pictures import Shown

DRAWN, PAIRS = 4, 6
"""How many random images, and how many pairs of duplicates, are shown."""
LONGEST = 24
"""Letters of an id that a panel can hold."""


def extremes(prepared: Prepared, chosen: pd.DataFrame) -> dict[str, list[Shown]]:
    """The darkest, median and brightest image of each class; see `extreme_images`."""
    return {
        str(name): [
            _read(prepared.root, line, f"{line['which']}\n", f"\nmean {line['mean_grey']:.0f}")
            for line in part.to_dict("records")
        ]
        for name, part in chosen.groupby("class", sort=False)
    }


def drawn_at_random(prepared: Prepared, rows: npt.NDArray[np.intp], seed: int) -> list[Shown]:
    """Some images of these rows, from as many classes as can be."""
    chosen = drawn_rows(prepared.index, rows, DRAWN, generator(seed, "explore"))
    lines = prepared.index.table.iloc[chosen].to_dict("records")
    return [_read(prepared.root, line, f"{line['label']}\n") for line in lines]


def pairs(prepared: Prepared, duplicates: pd.DataFrame) -> list[tuple[Shown, Shown]]:
    """The first pairs of `labelled_duplicates` whose images both have a label: none is a test's."""
    are_seen = (duplicates["first_label"] != "") & (duplicates["second_label"] != "")
    by_id = prepared.index.table.set_index("id", drop=False)

    def of(name: str) -> Shown:
        line = by_id.loc[name].to_dict()
        return _read(prepared.root, line, f"{line['label']}\n")

    shown = duplicates[are_seen].head(PAIRS)
    return [(of(a), of(b)) for a, b in zip(shown["first"], shown["second"], strict=True)]


def _read(root: Path, line: Mapping[Any, Any], before: str, after: str = "") -> Shown:
    """An image of the index in grey, with its mask; its id stands in the title."""
    name = str(line["id"])
    told = name if len(name) <= LONGEST else f"…{name[1 - LONGEST :]}"
    try:
        image = Pipeline.parse("gray", 1)(read_image(root / line["path"]))
        mask = read_mask(root / line["mask"], image.shape) if line["mask"] else None
    except FileNotFoundError as error:
        raise MissingError(
            f"An image or mask is no longer where prepare found it. Looked for: {error.filename}. "
            "Put the data folder back, or run prepare again."
        ) from error
    return Shown(f"{before}{told}{after}", image, mask)
