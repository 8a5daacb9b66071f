"""Writes one file that takes raw images and answers with class probabilities."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from kagglecxr.core.disk import ensure_disk_space
from kagglecxr.core.errors import CxrError, SettingError
from kagglecxr.core.files import atomic_write, read_json
from kagglecxr.core.progress import Bar, Reporter
from kagglecxr.core.run_record import WEIGHTS, RunRecord, fold_folder
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.data.prepare import PreparedData
from kagglecxr.inference.ensemble import read_compatible_run, rebuild_model
from kagglecxr.inference.export.end_to_end import Member, end_to_end_model
from kagglecxr.inference.export.file_formats import FileFormat
from kagglecxr.inference.export.pipeline_layers import pipeline_layers
from kagglecxr.inference.parts import Parts
from kagglecxr.models.weights.loading import load_weights

EXPORTS = Path("exports")
TOLERANCE = 1e-3
"""How far a probability may be from the model's: runtimes add in another order, and TensorFlow Lite
is up to 1e-4 away where a normalisation adds up a whole image."""


@dataclass(frozen=True)
class ExportedFile:
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


def export_model(
    prepared: PreparedData,
    workspace: Workspace,
    parts: Parts,
    file_format: FileFormat,
    path: Path,
    reporter: Reporter,
) -> ExportedFile:
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
        SettingError: a fold, a step or a view that cannot be had, or a format that does not keep
            the model.
        MissingError: a converter is not installed.
    """
    file_format.check()
    records = [read_compatible_run(run, prepared) for run in parts.runs]
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
    model = end_to_end_model(pipeline.steps, members, classes, origin)
    overhead = 2**22
    ensure_disk_space(path.parent, 4 * model.count_params() + overhead, path.name)
    with atomic_write(path) as beside:
        with _format_errors(file_format):
            file_format.write(model, beside)
        if file_format.can_be_read:
            with _format_errors(file_format):
                _check_predictions(model, file_format, beside)
        else:
            reporter.note(
                f"The file was not tried, since {file_format.reads} is not installed. "
                "pip install 'kagglecxr[export]' brings it."
            )
    return ExportedFile(path, path.stat().st_size / 1e6, _takes(model), classes)


def _check_predictions(model: keras.Model, file_format: FileFormat, path: Path) -> None:
    """Refuses a file that does not answer as its model does: writers lose what they do not know."""
    answers = file_format.opened(path)
    for height, width in ((500, 400), (40, 60)):
        _, known_height, known_width, _ = model.input_shape
        shape = (1, known_height or height, known_width or width, 1)
        image = np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)
        expected = keras.ops.convert_to_numpy(model(image))
        if not np.allclose(answers(image), expected, rtol=0, atol=TOLERANCE):
            raise _not_faithful(file_format, f"{answers(image)[0]} instead of {expected[0]}")


@contextlib.contextmanager
def _format_errors(file_format: FileFormat) -> Iterator[None]:
    try:
        yield
    except (CxrError, OSError, MemoryError):
        raise
    except Exception as error:
        # Of a layer they do not know, writers and readers may raise anything.
        raise _not_faithful(file_format, " ".join(str(error).split())[:200]) from error


def _not_faithful(file_format: FileFormat, reason: str) -> SettingError:
    return SettingError(
        f"This format does not keep the model as it is. Received: {file_format.suffix} "
        f"({reason}). Use --format keras."
    )


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
    load_weights(model, fold_folder(run, fold) / WEIGHTS)
    bar.advance()
    # The same layers under a name of their own: no two models in one may share theirs.
    return keras.Model(model.input, model.output, name=f"{record.name}-fold-{fold}")


def _takes(model: keras.Model) -> str:
    _, height, width, _ = model.input_shape
    sides = "height, width" if height is None else f"{height}, {width}"
    return f"raw pixels 0..255 (batch, {sides}, 1 or 3)"
