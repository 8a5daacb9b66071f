"""Writes one file that takes raw images and returns class probabilities or masks."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import CxrError, SettingError
from kagglecxr.core.files import atomic_write, ensure_disk_space, write_text
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import segments
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.data.prepared import PreparedData
from kagglecxr.data.sequences.sequence import OrderedSequence
from kagglecxr.inference.export.end_to_end import RunModels, end_to_end_model, pipeline_layers
from kagglecxr.inference.export.exported_model import ExportedModel
from kagglecxr.inference.export.file_formats import FileFormat
from kagglecxr.inference.mask_predictor import predict_masks
from kagglecxr.inference.members import Member
from kagglecxr.inference.novelty import Novelty, Scores, load_novelties
from kagglecxr.inference.predictor import Fold, Predictor
from kagglecxr.models.feature_maps import add_pooled_features

EXPORTS = Path("exports")
TOLERANCE = 1e-3
"""How far a probability may be from the predictor's: runtimes add in another order, and TensorFlow
Lite is up to 1e-4 away where a normalisation adds up a whole image."""
NOVELTY_TOLERANCE = 0.01
"""How far from its predictor, relatively, the distance of an unusual image may be."""


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
    standards: str = "",
    card: str = "",
) -> ExportedFile:
    """Writes a model that does what the pipeline and then a `Predictor` of the members do.

    The file is written atomically, and tried on random images before it has its name. Where the
    members tell which images are unusual, so does the file.

    Args:
        prepared: the competition's data, with the preprocessing of runs whose records have none.
        members: the runs, all for the same targets; or one that learned masks.
        file_format: of the file.
        path: the file.
        reporter: shows the progress.
        standards: by what masks are judged, as `MaskStandards.to_json`.
        card: the model card in Markdown, which is kept in the file and written beside it as
            `.card.md`.

    Raises:
        SettingError: a step that no layer does, or a format that does not keep the model.
        UnknownNameError: there is no such view.
        MissingError: a converter is not installed.
        DataError: what a run knows of its training images is damaged.
    """
    file_format.check()
    record = members[0].record
    height, _, channels = record.input_shape
    pipeline = Pipeline.parse(record.pipeline or prepared.pipeline_text, height)
    # Before any weights are loaded: it may be refused.
    pipeline_layers(pipeline.steps, channels)
    novelties = load_novelties(members)
    runs = []
    with reporter.bar("Loading folds", sum(len(member.folds) for member in members)) as bar:
        for number, member in enumerate(members):
            known = [
                novelties[number, fold] for fold in member.folds if (number, fold) in novelties
            ]
            folds = []
            for fold in member.folds:
                model = member.load_model(fold)
                if known:
                    model = add_pooled_features(model)
                # The same layers under a name of their own: no two models in one may share theirs.
                name = f"{member.record.name}-fold-{fold}"
                folds.append(keras.Model(model.input, model.output, name=name))
                bar.advance()
            runs.append(RunModels(folds, member.views, known))
    names = ", ".join(member.record.name for member in members)
    origin = f"{prepared.competition.name}: {names}; {pipeline.text}"
    whole = end_to_end_model(
        pipeline.steps, runs, record.targets, origin, standards, card, multilabel=record.multilabel
    )
    overhead = 2**22
    ensure_disk_space(path.parent, 4 * whole.count_params() + overhead, path.name)
    with atomic_write(path) as temporary, _format_errors(file_format):
        file_format.save(whole, temporary)
        if file_format.can_be_read:
            _check_predictions(file_format.load(temporary), members, novelties, pipeline)
        else:
            reporter.note(
                f"The file was not tried, since {file_format.reads} is not installed. "
                "pip install 'kagglecxr[export]' installs it."
            )
    if card:
        write_text(path.with_suffix(".card.md"), card)
    _, height, width, _ = whole.input_shape
    sides = "height, width" if height is None else f"{height}, {width}"
    takes = f"raw pixels 0..255 (batch, {sides}, 1 or 3)"
    return ExportedFile(path, path.stat().st_size / 1e6, takes, record.targets)


def _check_predictions(
    exported: ExportedModel,
    members: Sequence[Member],
    novelties: Mapping[Fold, Novelty],
    pipeline: Pipeline,
) -> None:
    """Refuses a file that does not predict as its members: writers lose what they do not know.

    Raises:
        ValueError: what it predicts instead.
    """
    height, width, channels = members[0].record.input_shape
    resized = any(name == "resize" for name, _ in pipeline.steps)
    random = np.random.default_rng(0)
    images = [
        random.integers(0, 256, (*size, channels), np.uint8)
        for size in ([(500, 400), (40, 60)] if resized else [(height, width)])
    ]
    pixels = [pipeline(image[..., 0] if channels == 1 else image) for image in images]
    expected, novelty = _predict(members, novelties, np.stack(pixels))
    for number, image in enumerate(images):
        received, unusual = exported.predict_with_novelty(image[None].astype(np.float32))
        if not np.allclose(received[0], expected[number], rtol=0, atol=TOLERANCE):
            raise ValueError(f"{received[0]} instead of {expected[number]}")
        if novelty is not None and (
            unusual is None or not np.allclose(unusual[0], novelty[number], rtol=NOVELTY_TOLERANCE)
        ):
            raise ValueError(f"an unusual image has {unusual} instead of {novelty[number]}")


def _predict(
    members: Sequence[Member], novelties: Mapping[Fold, Novelty], pixels: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.float32], Scores | None]:
    """What the members predict without a file: probabilities, and how unusual the images are."""
    (first, *_) = members
    if not segments(first.run):
        output = Predictor(members, novelties=novelties).predict(pixels)
        return output.probabilities, output.novelty
    rows, maps, novelty = np.arange(len(pixels)), [], []
    for fold in first.folds:
        model = first.load_model(fold)
        maps.append(predict_masks(model.predict_on_batch, pixels, rows, views=first.views))
        if (0, fold) in novelties:
            pooled = add_pooled_features(model)
            features = pooled.predict_on_batch(OrderedSequence(pixels, rows, len(rows))[0][0])[1:]
            novelty.append(novelties[0, fold].scores(features))
    return np.mean(maps, axis=0)[..., None], np.mean(novelty, axis=0) if novelty else None


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
