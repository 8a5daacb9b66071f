"""The verb `export`: one file that maps raw images to class probabilities or lung masks."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from kagglecxr.core.cli import CommonOptions, run_verb


def export(
    competition: str,
    *runs: str,
    fold: int | None = None,
    views: Annotated[
        tuple[str, ...], Parameter(consume_multiple=True, negative="", show_default=False)
    ] = (),
    out: Path | None = None,
    form: Annotated[str | None, Parameter(name="--format")] = None,
    common: CommonOptions = CommonOptions(),  # noqa: B008 frozen
) -> None:
    """Writes one file that maps raw images of any size to class probabilities or lung masks.

    Example: python -m kagglecxr.export demo --format onnx

    Args:
        competition: A preset's name, a TOML file, or a folder with one sub-folder per class.
        runs: Names of finished runs or of ensembles; defaults to the run with the best out-of-fold
            score.
        fold: Export this fold only; defaults to the mean of all folds.
        views: Views of test-time augmentation, identity, hflip or both; defaults to the recipe's,
            of masks to identity.
        out: The file, whose suffix gives the format; defaults to exports/COMPETITION-RUN.keras.
        form: keras, h5, tflite or onnx.
        common: Options of every verb.
    """
    from kagglecxr.models.runtime import setup_keras

    setup_keras()
    from kagglecxr.data.competition import load_competition
    from kagglecxr.data.prepared import load_prepared
    from kagglecxr.ensembling.run_selection import choose_runs, export_name
    from kagglecxr.inference.export.exporter import EXPORTS, export_model
    from kagglecxr.inference.export.file_formats import format_of
    from kagglecxr.inference.members import members_for_data
    from kagglecxr.reports.run_page import card_of_runs
    from kagglecxr.segmentation.export_masks import export_masks, have_masks

    described = load_competition(competition)
    workspace = common.workspace(described.name, competition)
    kind = format_of(form, out)
    prepared = load_prepared(described, workspace)
    chosen = choose_runs(prepared, workspace, runs)
    name = export_name(described.name, runs, chosen, fold)
    path = out or EXPORTS / f"{name}{kind.suffix}"
    if have_masks(chosen):
        made = export_masks(prepared, chosen[0], kind, path, common.terminal, fold, views)
    else:
        members = members_for_data(chosen, prepared, fold, views)
        card = card_of_runs(described, workspace, chosen, common.seed)
        made = export_model(prepared, members, kind, path, common.terminal, card=card)
    common.finish(
        f"Exported {made.path} ({made.megabytes:.1f} MB): takes {made.takes}, returns the "
        f"probabilities of {', '.join(made.classes)}.",
        kind.usage.format(path=made.path),
    )


if __name__ == "__main__":
    run_verb(export)
