"""One file that maps raw images to lung masks."""

from collections.abc import Sequence
from pathlib import Path

from kagglecxr.core.errors import SettingError
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import read_run, segments
from kagglecxr.data.prepared import PreparedData
from kagglecxr.inference.export.exporter import ExportedFile, export_model
from kagglecxr.inference.export.file_formats import FileFormat
from kagglecxr.inference.members import make_member
from kagglecxr.inference.predictions import PLAIN_VIEW
from kagglecxr.inference.tta import HFLIP, resolve_views
from kagglecxr.segmentation.mask_standards import MaskStandards


def have_masks(runs: Sequence[Path]) -> bool:
    """Returns whether what is to be exported is a run that learned masks.

    Raises:
        SettingError: there are several runs, and one of them did.
    """
    learned = [run for run in runs if segments(run)]
    if learned and len(runs) > 1:
        raise SettingError(
            f"A run of masks is exported alone. Received: {learned[0].name} and "
            f"{len(runs) - 1} more. Name one run."
        )
    return bool(learned)


def export_masks(
    prepared: PreparedData,
    run: Path,
    file_format: FileFormat,
    path: Path,
    reporter: Reporter,
    fold: int | None = None,
    views: Sequence[str] = (),
) -> ExportedFile:
    """Writes a file that takes raw images and returns masks of the size that the run learned from.

    Args:
        prepared: the competition's data.
        run: a finished run that learned masks.
        file_format: of the file.
        path: the file.
        reporter: shows the progress.
        fold: of the run; the mean of all folds where None.
        views: that the masks are the mean of; defaults to the image as it is, since `segment`
            compares what the file returns for it and for its mirror image.

    Raises:
        SettingError: the run has no such fold, a view cannot be turned back, or the format does
            not keep the model.
        DataError: the run is damaged.
    """
    if HFLIP in views and len(resolve_views(views)) > 1:
        reporter.note(
            "The file's masks are the mean of an image and its mirror image, so segment cannot "
            "tell where these two disagree. Leave out --views for that."
        )
    member = make_member(run, read_run(run), fold, views or (PLAIN_VIEW,))
    standards = MaskStandards.of_run(run).to_json()
    return export_model(prepared, [member], file_format, path, reporter, standards)
