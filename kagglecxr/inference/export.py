"""Writes one file that takes raw images and answers with class probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras

from kagglecxr.core.errors import DataError, MissingError, SettingError
from kagglecxr.core.files import assert_room, digest, read_json, written_whole
from kagglecxr.core.progress import Bar, Reporter
from kagglecxr.core.run import RunRecord, fold_folder
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.pixels.preprocessing import Pipeline
from kagglecxr.data.preparation import Prepared
from kagglecxr.inference.ensemble import checked_record, choose_runs, rebuild_model
from kagglecxr.inference.file_formats import FileFormat
from kagglecxr.inference.whole_model import Member, pipeline_layers, whole_model
from kagglecxr.models.weights.loading import load_weights

EXPORTS = Path("exports")
_OF_A_PLAIN_MEAN = {"runs", "metric", "out_of_fold", "submission"}


@dataclass(frozen=True)
class Parts:
    """What a file is to be made of.

    Attributes:
        name: of the file, without suffix.
        runs: folders of finished runs.
        fold: the one fold to take of each run; all where None.
        views: what the models look at; what each run's recipe says where empty.
    """

    name: str
    runs: Sequence[Path]
    fold: int | None
    views: Sequence[str]


@dataclass(frozen=True)
class Exported:
    """A file that was written.

    Attributes:
        path: the file.
        megabytes: its size.
        takes: what images it takes.
        classes: the names of its probabilities.
    """

    path: Path
    megabytes: float
    takes: str
    classes: list[str]


def choose_parts(
    prepared: Prepared,
    workspace: Workspace,
    names: Sequence[str],
    *,
    fold: int | None = None,
    views: Sequence[str] = (),
) -> Parts:
    """The parts that names of runs and ensembles stand for; the best run where there are none.

    Raises:
        UnknownNameError, MissingError: no such run, one that is not finished, or none at all.
        SettingError: an ensemble that is more than a mean of runs.
    """
    runs = choose_runs(
        prepared, workspace, [run for name in names for run in _runs_of(workspace, name)]
    )
    own = [run.name for run in runs]
    if len(names) == 1:
        name = names[0]
    else:
        name = own[0] if len(own) == 1 else f"mean-{digest(own)[:8]}"
    ending = "" if fold is None else f"-fold-{fold}"
    return Parts(f"{prepared.competition.name}-{name}{ending}", runs, fold, tuple(views))


def _runs_of(workspace: Workspace, name: str) -> list[str]:
    """The runs of an ensemble, or the run itself."""
    blend = workspace.ensembles / name / "blend.json"
    if (workspace.runs / name / "run.json").is_file() or not blend.is_file():
        if (workspace.runs / name).is_dir() and not (workspace.runs / name / "run.json").is_file():
            raise MissingError(
                f"A run is not finished. Received: {workspace.runs / name}. Run the command that "
                "trained it again: it goes on where it was."
            )
        return [name]
    try:
        values = read_json(blend)
        runs = [str(run) for run in values["runs"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"An ensemble's record cannot be read. Received: {blend} ({error}). Make that "
            "ensemble again."
        ) from error
    more = sorted(values.keys() - _OF_A_PLAIN_MEAN)
    if more:
        raise SettingError(
            f"An ensemble is more than the mean of its runs. Received: {', '.join(more)} in "
            f"{blend}. Name the runs to export."
        )
    return runs


def export_parts(
    prepared: Prepared,
    workspace: Workspace,
    parts: Parts,
    file_format: FileFormat,
    path: Path,
    reporter: Reporter,
) -> Exported:
    """Writes the one file, whole or not at all.

    Its answers are those of the pipeline, then `predict`, then the mean of folds and of runs.

    Args:
        prepared: the data.
        workspace: where the pipeline is told.
        parts: what goes into the file.
        file_format: the kind of file.
        path: the file.
        reporter: told of every fold that is loaded.

    Raises:
        DataError: a run was trained for other targets or images.
        SettingError: a fold, a step or a view that cannot be had.
        MissingError: a converter is not installed.
    """
    records = [checked_record(run, prepared) for run in parts.runs]
    folds = [_folds(record, parts.fold) for record in records]
    pipeline = Pipeline.parse(read_json(workspace.prepared)["pipeline"], records[0].input_shape[0])
    # Before any weights are loaded: it may be refused.
    pipeline_layers(pipeline.steps, records[0].input_shape[2])
    with reporter.bar("Loading folds", sum(len(numbers) for numbers in folds)) as bar:
        members = [
            Member(
                [_loaded(run, record, fold, bar) for fold in numbers],
                parts.views or record.recipe["views"],
            )
            for run, record, numbers in zip(parts.runs, records, folds, strict=True)
        ]
    classes = list(prepared.competition.targets())
    made_of = ", ".join(record.name for record in records)
    origin = f"{prepared.competition.name}: {made_of}; {pipeline.text}"
    model = whole_model(pipeline.steps, members, classes, origin)
    overhead = 2**22
    assert_room(path.parent, 4 * model.count_params() + overhead)
    with written_whole(path) as beside:
        file_format.write(model, beside)
    return Exported(path, path.stat().st_size / 1e6, _takes(model), classes)


def _folds(record: RunRecord, fold: int | None) -> list[int]:
    if fold is None:
        return list(range(record.folds))
    if not 0 <= fold < record.folds:
        raise SettingError(
            f"A run has no such fold. Received: fold {fold} of {record.name}. Name one of 0 to "
            f"{record.folds - 1}."
        )
    return [fold]


def _loaded(run: Path, record: RunRecord, fold: int, bar: Bar) -> keras.Model:
    model = rebuild_model(record)
    load_weights(model, fold_folder(run, fold) / "model.weights.h5")
    bar.advance()
    # The same layers under a name of their own: no two models in one may share theirs.
    return keras.Model(model.input, model.output, name=f"{record.name}-fold-{fold}")


def _takes(model: keras.Model) -> str:
    _, height, width, _ = model.input_shape
    sides = "height, width" if height is None else f"{height}, {width}"
    return f"raw pixels 0..255 (batch, {sides}, 1 or 3)"
