"""Trains a net of lung masks on the masks of a competition, and finds the one to predict with."""

from pathlib import Path

from kagglecxr.core.errors import MissingError, SettingError
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import finished_runs, segments
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.data.masked import MaskedData, by_source, load_masked
from kagglecxr.data.prepared import PreparedData
from kagglecxr.training.recipe import Recipe


def masked_data(
    prepared: PreparedData,
    workspace: Workspace,
    recipe: Recipe,
    reporter: Reporter,
    *,
    mask_source: str | None = None,
    leave_sources_out: bool = False,
) -> MaskedData:
    """Returns the images that a recipe of masks learns from; see `load_masked`.

    Args:
        prepared: the competition's data.
        workspace: its cache takes the decoded images and masks.
        recipe: says their size and preprocessing.
        reporter: shows the progress.
        mask_source: who drew the masks; defaults to who drew most of them.
        leave_sources_out: makes a fold of each source, in place of the competition's folds.

    Raises:
        SettingError: a recipe that classifies.
        MissingError, DataError: there are no masks, or they are no masks.
    """
    if recipe.segmentation is None:
        raise SettingError(
            f"This recipe classifies. Received: one of {recipe.model} without [segmentation]. Use "
            "the recipe lungs."
        )
    pipeline = Pipeline.parse(recipe.segmentation.pipeline, recipe.segmentation.size)
    data = load_masked(prepared, workspace, pipeline, reporter, mask_source)
    return by_source(data) if leave_sources_out else data


def find_mask_run(workspace: Workspace, named: Path | None) -> Path:
    """Returns a run that predicts masks: the one named, or the newest.

    Args:
        workspace: the competition's.
        named: the run's name or folder.

    Raises:
        MissingError: there is no such run.
        SettingError: it classifies.
    """
    if named is None:
        runs = finished_runs(workspace.runs, segmentation=True)
        if not runs:
            raise MissingError(
                f"There is no net of lung masks. Looked in: {workspace.runs}. Train one on the "
                f"competition's own masks: {workspace.command('segment', '--train')}, or name a "
                "run of another competition with --model."
            )
        return runs[-1]
    run = named if (named / "run.json").is_file() else workspace.runs / named
    if not (run / "run.json").is_file():
        raise MissingError(
            f"There is no such run. Received: --model {named}. Name a finished run of segment, or "
            "its folder."
        )
    if not segments(run):
        raise SettingError(
            f"This run classifies and has no masks. Received: {run}. Name a run of segment."
        )
    return run
