"""The members of an ensemble: finished runs, checked and ready to be loaded."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras

from kagglecxr.core.errors import DataError, MissingError, SettingError
from kagglecxr.core.run_record import WEIGHTS, RunRecord, fold_folder, read_run
from kagglecxr.data.competition import Competition
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.data.prepared import PreparedData
from kagglecxr.models.weights.loading import load_weights
from kagglecxr.models.zoo import create_model


@dataclass(frozen=True)
class Member:
    """A finished run that predicts, alone or with others.

    Attributes:
        folds: the numbers of the folds that predict.
        views: names of the views they predict from, see `kagglecxr.inference.tta`.
    """

    run: Path
    record: RunRecord
    folds: Sequence[int]
    views: Sequence[str]

    @property
    def pipeline(self) -> Pipeline:
        """The preprocessing of its images."""
        return Pipeline.parse(self.record.pipeline, self.record.input_shape[0])

    def load_model(self, fold: int) -> keras.Model:
        """Builds the model of a fold with its weights."""
        model = rebuild_model(self.record)
        self.load_fold(model, fold)
        return model

    def load_fold(self, model: keras.Model, fold: int) -> None:
        """Loads the weights of a fold into a model of the run."""
        load_weights(model, fold_folder(self.run, fold) / WEIGHTS)


def make_member(
    run: Path, record: RunRecord, fold: int | None = None, views: Sequence[str] = ()
) -> Member:
    """Makes a member of a run: of one fold or all, with the views given or those of its recipe.

    Raises:
        SettingError: the run has no such fold.
    """
    if fold is not None and not 0 <= fold < record.folds:
        raise SettingError(
            f"A run has no such fold. Received: fold {fold} of {record.name}. Name one of 0 to "
            f"{record.folds - 1}."
        )
    folds = range(record.folds) if fold is None else [fold]
    return Member(run, record, folds, views or record.recipe["views"])


def members_for_data(
    runs: Sequence[Path],
    prepared: PreparedData,
    fold: int | None = None,
    views: Sequence[str] = (),
) -> list[Member]:
    """Makes members of runs that were trained on the prepared data.

    Raises:
        DataError: a run was trained for other targets or images.
        SettingError: a run has no such fold.
    """
    return [make_member(run, read_compatible_run(run, prepared), fold, views) for run in runs]


def members_for_files(
    runs: Sequence[Path], competition: Competition, pipeline: str = ""
) -> list[Member]:
    """Makes members of runs that predict images of a folder, checked before anything slow begins.

    The targets have to be those of the competition, where it names them; `pipeline` is the
    preprocessing of runs whose records have none.

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
    members = [member_for_files(run, pipeline) for run in runs]
    targets = competition.targets() or members[0].record.targets
    for member in members:
        if member.record.targets != targets:
            raise DataError(
                f"A run was trained for other targets. Received: {member.record.targets} in "
                f"{member.run}, wanted are {targets}. Leave that run out."
            )
    return members


def rebuild_model(record: RunRecord, trainable: str = "all") -> keras.Model:
    """Builds the model of a run; its weights are left to be loaded."""
    return create_model(
        record.model,
        num_classes=len(record.targets),
        input_shape=record.input_shape,
        trainable=trainable,
        multilabel=record.multilabel,
        **record.recipe["model_options"],
    )


def read_compatible_run(run: Path, prepared: PreparedData) -> RunRecord:
    """Reads the record of a run that was trained on these targets and images.

    Raises:
        DataError: it was trained for others.
    """
    record = read_run(run)
    if record.targets != prepared.competition.targets():
        raise DataError(
            f"A run was trained for other targets. Received: {record.targets} in {run}, the "
            f"competition has {prepared.competition.targets()}. Train again."
        )
    if record.data["cache"] != prepared.cache.key:
        raise DataError(
            f"A run was trained on other images than those prepared now. Received: cache "
            f"{record.data['cache']} in {run}, prepared is {prepared.cache.key}. Run prepare with "
            "that run's size and pipeline, or train again."
        )
    return record


def member_for_files(run: Path, pipeline: str = "", views: Sequence[str] = ()) -> Member:
    """Makes a member of a run that predicts images of no index; raises as `members_for_files`."""
    record = read_run(run)
    for fold in range(record.folds):
        weights = fold_folder(run, fold) / WEIGHTS
        if not weights.is_file():
            raise MissingError(
                f"The weights of a fold are not there. Looked for: {weights}. Pack that run again."
            )
    if not (record.pipeline or pipeline):
        raise SettingError(
            f"A run's record has no preprocessing pipeline. Received: {run}, of an older "
            "kagglecxr. Name the pipeline that prepare had for it."
        )
    record = dataclasses.replace(record, pipeline=record.pipeline or pipeline)
    member = make_member(run, record, views=views)
    if member.pipeline.needs_mask:
        raise SettingError(
            f"A run's pipeline needs lung masks, which unseen images have not. Received: "
            f"{member.pipeline.text} of {run}. Prepare without the steps that need them, and train "
            "again."
        )
    return member
