"""The verb `segment`: lung masks of a competition's images, or of any."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from kagglecxr.core.cli import CommonOptions, run_verb
from kagglecxr.segmentation.segment_options import SegmentOptions


def segment(
    target: str,
    *,
    model: Path | None = None,
    out: Path | None = None,
    changes: Annotated[tuple[str, ...], Parameter(name="--set", negative="")] = (),
    options: SegmentOptions = SegmentOptions(),  # noqa: B008 frozen
    common: CommonOptions = CommonOptions(),  # noqa: B008 frozen
) -> None:
    """Predicts the lung masks of a competition's images, or of any images.

    Example: python -m kagglecxr.segment demo --train --set epochs=3

    Args:
        target: A competition; with --out, image files, a folder, or a pattern in quotes.
        model: The run that predicts, by its name or folder, defaults to the newest; with --out, its
            folder or a file that export wrote of it.
        out: The folder of <stem>.png and flags.csv, for images of no competition.
        changes: A setting of the recipe as key=value; can be given several times.
        options: What is trained first, and which masks are replaced.
        common: Options of every verb.
    """
    from kagglecxr.models.runtime import setup_keras

    setup_keras()
    options.check(changes, of_files=out is not None)
    if out is not None:
        _segment_files(target, model, out, common)
        return
    from kagglecxr.data.competition import load_competition
    from kagglecxr.data.prepared import load_prepared, prepare_again
    from kagglecxr.reports.mask_report import WORST, draw_suspicious, report_masks
    from kagglecxr.segmentation.evaluation import write_left_out_sources
    from kagglecxr.segmentation.mask_files import MaskFolder
    from kagglecxr.segmentation.mask_training import find_mask_run, train_masks
    from kagglecxr.segmentation.segment_competition import segment_competition
    from kagglecxr.training.select_recipe import select_mask_recipe

    described = load_competition(target)
    workspace = common.workspace(described.name, target)
    prepared = load_prepared(described, workspace)
    if options.train or options.by_source:
        chosen = select_mask_recipe(options.recipe, changes, common.terminal)
        run, data = train_masks(
            prepared, workspace, chosen, common.terminal, options, seed=common.seed
        )
        judged = report_masks(run, data)
        common.terminal.note(judged.describe())
        if options.by_source:
            table = write_left_out_sources(run, judged)
            sys.stdout.write(f"{table.to_string(index=False)}\n")
            common.finish(
                f"Trained without each source: {run}.", shlex.join(["open", str(run / WORST)])
            )
            return
    else:
        run = find_mask_run(workspace, model, common.terminal)
    segmented = segment_competition(
        prepared, workspace, run, common.terminal, replace_given=options.replace
    )
    sheet = draw_suspicious(segmented.flags, MaskFolder(segmented.folder), prepared.root)
    shown = f" The suspicious ones: {sheet}." if sheet else ""
    following = (
        prepare_again(workspace, pipeline="gray | resize | mask")
        if segmented.kept < len(segmented.flags)
        else workspace.command("segment", "--replace")
    )
    common.finish(f"{segmented.describe()}{shown}", following)


def _segment_files(target: str, named: Path | None, out: Path, common: CommonOptions) -> None:
    from kagglecxr.core.files import temporary_folder
    from kagglecxr.data.files.image_arguments import find_images
    from kagglecxr.reports.mask_report import draw_suspicious
    from kagglecxr.segmentation.mask_files import MaskFolder, count_suspicious
    from kagglecxr.segmentation.packaged_net import run_or_packaged
    from kagglecxr.segmentation.segment_files import segment_files

    model = run_or_packaged(named, common.terminal)
    paths = find_images([target])
    with temporary_folder(common.work) as scratch:
        flags = segment_files(model, paths, out, scratch, common.terminal)
    sheet = draw_suspicious(flags, MaskFolder(out), Path())
    common.finish(
        f"Wrote {count_suspicious(flags)}: {out}.", shlex.join(["open", str(sheet or out)])
    )


if __name__ == "__main__":
    run_verb(segment)
