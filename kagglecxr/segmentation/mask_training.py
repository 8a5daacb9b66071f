"""Trains a net of lung masks on the masks of a competition, and finds the one to predict with."""

from pathlib import Path

from kagglecxr.core.deadline import Deadline
from kagglecxr.core.errors import MissingError, SettingError
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import finished_runs, segments
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.masked import MaskedData, by_source, load_masked, with_unmasked
from kagglecxr.data.prepared import PreparedData
from kagglecxr.segmentation.evaluation import holds_sources_out
from kagglecxr.segmentation.packaged_net import CAUTION, packaged_run
from kagglecxr.segmentation.pseudo_masks import train_with_pseudo_masks
from kagglecxr.segmentation.segment_options import SegmentOptions
from kagglecxr.training.cluster.cluster_folds import fold_executor
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.run import RunOptions, train_run
from kagglecxr.training.training_options import check_time_and_place


def masked_data(
    prepared: PreparedData,
    workspace: Workspace,
    recipe: Recipe,
    reporter: Reporter,
    options: SegmentOptions = SegmentOptions(),  # noqa: B008 frozen
) -> MaskedData:
    """Returns the images that a recipe of masks learns from; see `load_masked`.

    Args:
        prepared: the competition's data.
        workspace: its cache takes the decoded images and masks.
        recipe: says their size and preprocessing.
        reporter: shows the progress.
        options: whose masks are learned, whether each source is a fold, and whether images without
            masks are behind the others.

    Raises:
        SettingError: a recipe that classifies.
        MissingError, DataError: there are no masks, or they are no masks.
    """
    if recipe.segmentation is None:
        raise SettingError(
            f"This recipe classifies. Received: one of {recipe.model} without [segmentation]. Use "
            "the recipe lungs."
        )
    pipeline = recipe.segmentation.preprocessing()
    data = load_masked(prepared, workspace, pipeline, reporter, options.mask_source)
    if options.pseudo_masks:
        data = with_unmasked(data, prepared, workspace, pipeline, reporter)
    return by_source(data) if options.by_source else data


def train_masks(
    prepared: PreparedData,
    workspace: Workspace,
    recipe: Recipe,
    reporter: Reporter,
    options: SegmentOptions,
    *,
    seed: int,
) -> tuple[Path, MaskedData]:
    """Trains a net of lung masks on a competition's own.

    Returns:
        The folder of the run, and the data that it was trained on.

    Raises:
        SettingError: a recipe that classifies, a time limit that is not positive or on a cluster.
        MissingError, DataError: there are no masks, or they are no masks.
    """
    check_time_and_place(options.timeout, options.cluster)
    data = masked_data(prepared, workspace, recipe, reporter, options)
    deadline = None if options.timeout is None else Deadline.within(options.timeout)
    train = train_with_pseudo_masks if options.pseudo_masks else train_run
    with fold_executor(options.cluster) as executor:
        chosen = RunOptions(seed, deadline=deadline, fold_executor=executor)
        return train(data, workspace, recipe, reporter, chosen), data


def find_mask_run(workspace: Workspace, named: Path | None, reporter: Reporter) -> Path:
    """Returns a run that predicts masks: the one named, the newest, or the package's own.

    Args:
        workspace: the competition's.
        named: the run's name or folder.
        reporter: says where the package's own net is used, and for whom it was not tried.

    Raises:
        MissingError: there is no such run.
        SettingError: it classifies.
    """
    if named is None:
        runs = [
            run
            for run in finished_runs(workspace.runs, segmentation=True)
            if not holds_sources_out(run)
        ]
        packaged = packaged_run()
        if not runs and packaged:
            reporter.note(CAUTION)
            return packaged
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
