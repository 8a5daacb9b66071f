"""Finished runs that predict what no index knows, as many of their folds as there is time for."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError, MissingError, SettingError
from kagglecxr.core.run_record import WEIGHTS, RunRecord, fold_folder, read_run
from kagglecxr.data.competition import Competition
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.inference.ensemble import rebuild_model
from kagglecxr.inference.predictor import predict_views
from kagglecxr.models.weights.loading import load_weights

SPARE = 1.5
"""A fold is begun only where so many times the last one's seconds are left."""


@dataclass(frozen=True)
class Member:
    """A run among those that predict.

    Attributes:
        run: its folder.
        record: what its run.json says.
        pipeline: what is done to its images.
    """

    run: Path
    record: RunRecord
    pipeline: Pipeline


Images = Callable[[Member], npt.NDArray[np.uint8]]
"""Gives the decoded images that a member looks at."""


def find_members(
    runs: Sequence[Path], competition: Competition, pipeline: str = ""
) -> tuple[list[Member], list[str]]:
    """The runs, checked before anything slow begins, and their targets.

    Args:
        runs: folders of finished runs.
        competition: whose targets theirs have to be, where it names them.
        pipeline: what is done to the images of runs whose records do not tell it.

    Raises:
        MissingError: no runs, or a fold without weights.
        SettingError: a pipeline that is not known, or needs masks.
        DataError: a damaged record, or one for other targets.
    """
    if not runs:
        raise MissingError(
            "There is no finished run to predict with. Received: none. Attach one that was packed "
            "with all its folds."
        )
    members = [_member(run, pipeline) for run in runs]
    targets = competition.targets() or members[0].record.targets
    for member in members:
        if member.record.targets != targets:
            raise DataError(
                f"A run was trained for other targets. Received: {member.record.targets} in "
                f"{member.run}, wanted are {targets}. Leave that run out."
            )
    return members, targets


def predict_by_folds(
    members: Sequence[Member], images: Images, seconds_left: Callable[[], float]
) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """The number of a member and the probabilities (N, targets) of one of its folds.

    It ends early where another fold would take longer than there is time; the first always comes.

    Args:
        members: the runs.
        images: asked before each fold.
        seconds_left: until all has to be done; infinite for no hurry.
    """
    took = 0.0
    for number, member in enumerate(members):
        model = None
        for fold in range(member.record.folds):
            before = seconds_left()
            # Without a limit what it took is no number, and nothing is below that.
            if took and before < SPARE * took:
                return
            looked_at = images(member)
            model = rebuild_model(member.record) if model is None else model
            load_weights(model, fold_folder(member.run, fold) / WEIGHTS)
            rows, views = np.arange(len(looked_at)), member.record.recipe["views"]
            yield number, predict_views(model, looked_at, rows, views=views)
            took = before - seconds_left()


def _member(run: Path, otherwise: str) -> Member:
    record = read_run(run)
    for fold in range(record.folds):
        weights = fold_folder(run, fold) / WEIGHTS
        if not weights.is_file():
            raise MissingError(
                f"The weights of a fold are not there. Looked for: {weights}. Pack that run again."
            )
    text = record.pipeline or otherwise
    if not text:
        raise SettingError(
            f"A run does not tell what is done to its images. Received: {run}, of an older "
            "kagglecxr. Name the pipeline that prepare had for it."
        )
    pipeline = Pipeline.parse(text, record.input_shape[0])
    if pipeline.needs_mask:
        raise SettingError(
            f"A run's pipeline needs lung masks, which unseen images have not. Received: "
            f"{pipeline.text} of {run}. Train without mask and lung_box in --pipeline."
        )
    return Member(run, record, pipeline)
