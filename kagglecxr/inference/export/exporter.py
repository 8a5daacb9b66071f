"""Writes one file that takes raw images and returns class probabilities."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from kagglecxr.core.errors import CxrError, SettingError
from kagglecxr.core.files import atomic_write, ensure_disk_space
from kagglecxr.core.progress import Reporter
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.data.prepared import PreparedData
from kagglecxr.inference.export.end_to_end import end_to_end_model, pipeline_layers
from kagglecxr.inference.export.file_formats import FileFormat
from kagglecxr.inference.members import Member
from kagglecxr.inference.predictor import Predictor

EXPORTS = Path("exports")
TOLERANCE = 1e-3
"""How far a probability may be from the predictor's: runtimes add in another order, and TensorFlow
Lite is up to 1e-4 away where a normalisation adds up a whole image."""


@dataclass(frozen=True)
class ExportedFile:
    """A file that was written: its size, what images it takes, and the names of its outputs."""

    path: Path
    megabytes: float
    takes: str
    classes: list[str]


def export_model(
    prepared: PreparedData,
    members: Sequence[Member],
    file_format: FileFormat,
    path: Path,
    reporter: Reporter,
) -> ExportedFile:
    """Writes a model that does what the pipeline and then a `Predictor` of the members do.

    The file is written atomically, and tried on random images before it has its name.

    Raises:
        SettingError: a step that no layer does, or a format that does not keep the model.
        UnknownNameError: there is no such view.
        MissingError: a converter is not installed.
    """
    file_format.check()
    height, _, channels = members[0].record.input_shape
    pipeline = Pipeline.parse(prepared.pipeline_text, height)
    # Before any weights are loaded: it may be refused.
    pipeline_layers(pipeline.steps, channels)
    runs = []
    with reporter.bar("Loading folds", sum(len(member.folds) for member in members)) as bar:
        for member in members:
            models = []
            for fold in member.folds:
                model = member.load_model(fold)
                # The same layers under a name of their own: no two models in one may share theirs.
                name = f"{member.record.name}-fold-{fold}"
                models.append(keras.Model(model.input, model.output, name=name))
                bar.advance()
            runs.append((models, member.views))
    classes = list(prepared.competition.targets())
    names = ", ".join(member.record.name for member in members)
    origin = f"{prepared.competition.name}: {names}; {pipeline.text}"
    whole = end_to_end_model(pipeline.steps, runs, classes, origin)
    overhead = 2**22
    ensure_disk_space(path.parent, 4 * whole.count_params() + overhead, path.name)
    with atomic_write(path) as temporary, _format_errors(file_format):
        file_format.save(whole, temporary)
        if file_format.can_be_read:
            _check_predictions(file_format, temporary, members, pipeline)
        else:
            reporter.note(
                f"The file was not tried, since {file_format.reads} is not installed. "
                "pip install 'kagglecxr[export]' installs it."
            )
    _, height, width, _ = whole.input_shape
    sides = "height, width" if height is None else f"{height}, {width}"
    takes = f"raw pixels 0..255 (batch, {sides}, 1 or 3)"
    return ExportedFile(path, path.stat().st_size / 1e6, takes, classes)


def _check_predictions(
    file_format: FileFormat, path: Path, members: Sequence[Member], pipeline: Pipeline
) -> None:
    """Refuses a file that does not predict as its members: writers lose what they do not know."""
    height, width, channels = members[0].record.input_shape
    resized = any(name == "resize" for name, _ in pipeline.steps)
    random = np.random.default_rng(0)
    images = [
        random.integers(0, 256, (*size, channels), np.uint8)
        for size in ([(500, 400), (40, 60)] if resized else [(height, width)])
    ]
    pixels = [pipeline(image[..., 0] if channels == 1 else image) for image in images]
    expected = Predictor(members).predict(np.stack(pixels)).probabilities
    predict = file_format.load(path).predict
    for image, probabilities in zip(images, expected, strict=True):
        received = predict(image[None].astype(np.float32))[0]
        if not np.allclose(received, probabilities, rtol=0, atol=TOLERANCE):
            raise _not_faithful(file_format, f"{received} instead of {probabilities}")


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
