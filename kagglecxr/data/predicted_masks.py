"""Masks that `segment` predicted: whose they are, and the index with them and without."""

import hashlib

import pandas as pd

from kagglecxr.core.files import file_digest, read_table, write_table
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.index import (
    MASK_SOURCE,
    OUT_OF_FOLD,
    PREDICTED,
    Index,
    index_columns,
    read_index,
)

TABLE = "masks.csv"
_GIVEN, _GIVEN_SOURCE = "given_mask", "given_mask_source"
"""What a replaced mask was, and whose."""


def write_predicted_masks(workspace: Workspace, masks: pd.DataFrame, images: pd.DataFrame) -> None:
    """Writes masks.csv: which images have predicted masks, and which they came with.

    Args:
        workspace: the masks are below its folder of masks.
        masks: `path,mask,mask_source`, the path that of the image.
        images: the table of an index `without_predicted_masks`.
    """
    given = images.set_index("path").loc[masks["path"]]
    table = masks[["path", "mask", MASK_SOURCE]].assign(
        **{_GIVEN: list(given["mask"]), _GIVEN_SOURCE: list(given[MASK_SOURCE])}
    )
    write_table(workspace.masks / TABLE, table)


def with_predicted_masks(images: pd.DataFrame, workspace: Workspace) -> pd.DataFrame:
    """Returns a table of images, `path,mask,mask_source` and more, with their predicted masks.

    Masks that are no longer there are left out.
    """
    masks = _read(workspace)
    root = workspace.masks.resolve()
    there = masks[masks["mask"].map(lambda mask: (root / mask).is_file()).astype(bool)]
    paths = [str(root / mask) for mask in there["mask"]]
    return _with_masks(images, list(there["path"]), paths, list(there[MASK_SOURCE]))


def without_predicted_masks(images: pd.DataFrame, workspace: Workspace) -> pd.DataFrame:
    """Returns a table of images, `path,mask,mask_source` and more, with their given masks.

    Predicted masks of which masks.csv does not say what they replaced, since it was removed, are
    left out.
    """
    masks = _read(workspace)
    given = _with_masks(
        images, list(masks["path"]), list(masks[_GIVEN]), list(masks[_GIVEN_SOURCE])
    )
    is_predicted = given[MASK_SOURCE].isin([OUT_OF_FOLD, PREDICTED])
    return given.assign(
        mask=given["mask"].mask(is_predicted, ""),
        **{MASK_SOURCE: given[MASK_SOURCE].mask(is_predicted, "")},
    )


def describe_mask_sources(images: pd.DataFrame, replace_command: str) -> str:
    """Warns where masks are of several nets or people: whose a mask is may tell the class.

    Args:
        images: a table of images with masks, `mask,mask_source`.
        replace_command: gives all images masks of one net.

    Returns:
        Two sentences; nothing where all masks are of one origin.
    """
    sources = images.loc[images["mask"] != "", MASK_SOURCE].replace(OUT_OF_FOLD, PREDICTED)
    counts = sources.replace("", "the data's own").value_counts()
    if len(counts) < 2:
        return ""
    named = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    return (
        f"Masks are of several origins: {named}. Where these differ by class, whose a mask is "
        f"tells the class; for masks of one net, run {replace_command} and prepare again."
    )


def index_digest(workspace: Workspace) -> str:
    """Returns the SHA-256 of index.csv as `prepare` wrote it, whatever masks it has got since.

    So what uses no masks stays valid with them.
    """
    if not (workspace.masks / TABLE).is_file():
        return file_digest(workspace.index)
    index = Index(without_predicted_masks(read_index(workspace.index).table, workspace))
    text = index.table[index_columns(index)].to_csv(index=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _read(workspace: Workspace) -> pd.DataFrame:
    path = workspace.masks / TABLE
    if not path.is_file():
        return pd.DataFrame(columns=["path", "mask", MASK_SOURCE, _GIVEN, _GIVEN_SOURCE])
    return read_table(path)


def _with_masks(
    images: pd.DataFrame, paths: list[str], masks: list[str], sources: list[str]
) -> pd.DataFrame:
    new = dict(zip(paths, zip(masks, sources, strict=True), strict=True))
    both = zip(images["path"], images["mask"], images[MASK_SOURCE], strict=True)
    found = [new.get(path, (mask, source)) for path, mask, source in both]
    return images.assign(
        mask=[mask for mask, _ in found], **{MASK_SOURCE: [source for _, source in found]}
    )
