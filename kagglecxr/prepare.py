"""The verb `prepare`: index, folds and decoded cache of a competition's images."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from kagglecxr.core.cli import CommonOptions, run_verb


def prepare(
    competition: str,
    *,
    data: Path | None = None,
    size: int = 224,
    pipeline: str = "gray | resize",
    test: float = 0.2,
    folds: int = 5,
    cache: Literal["auto", "plain", "compressed"] = "auto",
    skip_broken: Annotated[bool, Parameter(negative="")] = False,
    common: CommonOptions = CommonOptions(),  # noqa: B008 frozen
) -> None:
    """Indexes a competition's images, groups duplicates, makes folds and decodes the cache.

    Example: python -m kagglecxr.prepare covid19-radiography --data ~/radiography --size 192

    Args:
        competition: A preset's name, a TOML file, or a folder with one sub-folder per class.
        data: The folder of the images; defaults to the workspace's raw/, which `download` and the
            demo fill, or to that of a TOML of kind folder.
        size: Height and width of cached images in pixels.
        pipeline: Preprocessing steps with | between them (docs/preprocessing.md).
        test: Share of a rehearsal test set if the data have none; 0 for none.
        folds: Number of folds of the training set.
        cache: How decoded images are stored. Compressed they take half of the disk, are the same,
            and are read more slowly; auto compresses only where there is little room.
        skip_broken: Skip image files that cannot be read, and list them.
        common: Options of every verb.
    """
    from kagglecxr.data.competition import load_competition
    from kagglecxr.data.images.pipeline import Pipeline
    from kagglecxr.data.phantoms import make_demo, make_finding_demo
    from kagglecxr.data.predicted_masks import describe_mask_sources
    from kagglecxr.data.prepare import PrepareOptions, prepare_competition

    described = load_competition(competition)
    workspace = common.workspace(described.name, competition)
    if described.source.kind == "demo" and data is None:
        make = make_finding_demo if described.classes.multilabel else make_demo
        make(workspace.raw, common.seed, common.terminal)
    options = PrepareOptions(data, size, pipeline, test, folds, skip_broken, common.seed, cache)
    prepared = prepare_competition(described, workspace, options, common.terminal)
    table = prepared.index.table
    replace = workspace.command("segment", "--replace")
    mixed = describe_mask_sources(table, replace)
    if mixed and Pipeline.parse(pipeline, size).needs_mask:
        common.terminal.note(mixed)
    counts = ", ".join(f"{count} {split}" for split, count in table["split"].value_counts().items())
    common.finish(
        "\n".join(prepared.summary) + f"\nPrepared {len(table)} images ({counts}) of "
        f"{table['group'].nunique()} groups in {folds} folds: {workspace.index}.",
        workspace.command("train"),
    )


if __name__ == "__main__":
    run_verb(prepare)
