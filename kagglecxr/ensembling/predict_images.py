"""Predicts images with whatever a path stands for: a run, an ensemble or an exported file."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from kagglecxr.core.errors import MissingError, SettingError, shorten
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import segments
from kagglecxr.ensembling.ensemble_record import RECORD, read_ensemble
from kagglecxr.ensembling.pooling import pool_probabilities, read_pools
from kagglecxr.inference.export.exporter import EXPORTS
from kagglecxr.inference.export.file_formats import FORMATS, is_export, load_export
from kagglecxr.inference.members import member_for_files
from kagglecxr.inference.predict_files import (
    FilePredictions,
    predict_with_export,
    predict_with_runs,
)
from kagglecxr.inference.predictor import Predictor

RUN = "run.json"
MAX_SHOWN = 10


def predict_images(
    model: Path,
    paths: Sequence[str],
    scratch: Path,
    reporter: Reporter,
    *,
    pools: Sequence[str],
    skip_unreadable: bool,
) -> FilePredictions:
    """Predicts image files with a run, an ensemble or an exported file.

    Args:
        model: the folder of a run or of an ensemble in a workspace, or a file of `export`.
        paths: relative to the current folder, or absolute.
        scratch: a folder for decoded images.
        reporter: shows the progress, and names what is left out.
        pools: of classes, as `read_pools` takes them; none for the classes themselves.
        skip_unreadable: leave out files that cannot be read instead of raising an error.

    Raises:
        MissingError: the path stands for none of them.
        SettingError: a run needs lung masks, or pools do not hold each class once.
        DataError: the model or images cannot be read.
    """
    if is_export(model):
        exported = load_export(model)
        if exported.standards:
            raise _of_masks(model)
        _refuse_pools(pools, model, multilabel=exported.multilabel)
        pooled = _pooled(pools, exported.classes)
        predictions = predict_with_export(
            exported, paths, reporter, skip_unreadable=skip_unreadable
        )
        return pooled(predictions)
    predictor = load_predictor(model)
    record = predictor.members[0].record
    _refuse_pools(pools, model, multilabel=record.multilabel)
    pooled = _pooled(pools, record.targets)
    return pooled(
        predict_with_runs(predictor, paths, scratch, reporter, skip_unreadable=skip_unreadable)
    )


def _pooled(
    words: Sequence[str], classes: Sequence[str]
) -> Callable[[FilePredictions], FilePredictions]:
    """Pools predictions; what is no pool is refused before anything is predicted."""
    if not words:
        return lambda predictions: predictions
    pools = read_pools(words, classes)
    members = list(pools.values())
    return lambda predictions: replace(
        predictions,
        classes=list(pools),
        probabilities=pool_probabilities(predictions.probabilities, members),
    )


def _refuse_pools(pools: Sequence[str], model: Path, *, multilabel: bool) -> None:
    if pools and multilabel:
        raise SettingError(
            f"Classes of which an image may have several cannot be added up. Received: --pool for "
            f"{model}, which predicts findings. Leave it out."
        )


def check_outputs(out: Path, picture: Path | None) -> None:
    """Refuses files that could not be written, before any work is done.

    Raises:
        SettingError: a folder, or a picture that is no PNG.
    """
    if out.is_dir():
        raise SettingError(
            f"The table of predictions is a file. Received: the folder {out}. Name it "
            f"{out / 'predictions.csv'}."
        )
    if picture and (picture.suffix.lower() != ".png" or picture.is_dir()):
        raise SettingError(
            f"The picture of predictions is a PNG file. Received: {picture}. Name it "
            f"{out.with_suffix('.png')}."
        )


def _of_masks(model: Path) -> SettingError:
    return SettingError(
        f"This model learned masks and classifies nothing. Received: {model}. Write its masks: "
        f"python -m kagglecxr.segment IMAGES --model {model} --out masks"
    )


def load_predictor(folder: Path) -> Predictor:
    """Loads what predicts image files with a run or an ensemble.

    Raises:
        MissingError: the folder is of neither.
        SettingError: a run learned masks, or needs them.
        DataError: a record is damaged.
    """
    if segments(folder):
        raise _of_masks(folder)
    if (folder / RUN).is_file():
        return Predictor([member_for_files(folder)])
    if (folder / RECORD).is_file():
        record = read_ensemble(folder)
        # An ensemble lies beside the runs of its workspace.
        runs = folder.resolve().parent.parent / "runs"
        members = [member_for_files(runs / name, views=record.views) for name in record.runs]
        return Predictor(members, record.combine)
    nearby = [str(path) for path in _models_nearby()]
    found = f"Those found nearby: {shorten(nearby, MAX_SHOWN)}" if nearby else "None is nearby"
    suffixes = ", ".join(FORMATS[name].suffix for name in FORMATS.names())
    raise MissingError(
        f"There is no model to predict with. Received: {folder}. Name the folder of a finished "
        f"run, which has {RUN}, or of an ensemble, which has {RECORD}, or a file that export wrote "
        f"({suffixes}). {found}."
    )


def _models_nearby() -> Iterator[Path]:
    here = Path()
    for record in (f"work/*/runs/*/{RUN}", f"work/*/ensemble/*/{RECORD}"):
        yield from sorted(path.parent for path in here.glob(record))
    yield from sorted(
        p for name in FORMATS.names() for p in EXPORTS.glob(f"*{FORMATS[name].suffix}")
    )
