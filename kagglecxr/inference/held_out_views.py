"""What a run's folds predict for their held-out images from single views, computed once."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import atomic_write
from kagglecxr.core.progress import Reporter, Silent
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.index import read_folds
from kagglecxr.data.prepared import PreparedData
from kagglecxr.inference.members import Member
from kagglecxr.inference.predictions import Predictions, average
from kagglecxr.inference.predictor import Predictor
from kagglecxr.inference.tta import resolve_views

FILE = "views.npz"


@dataclass(frozen=True)
class HeldOutViews:
    """Out-of-fold probabilities of the training images, from each of several views.

    Attributes:
        ids: (N,) text.
        names: (V,) text, of the views.
        probabilities: (V, N, targets) float32.
        truth: (N,) target ids.
    """

    ids: npt.NDArray[np.str_]
    names: npt.NDArray[np.str_]
    probabilities: npt.NDArray[np.float32]
    truth: npt.NDArray[np.intp]

    def of(self, views: Sequence[str]) -> Predictions:
        """Returns the mean over some views; their names may be those of sets.

        Raises:
            DataError: it was not predicted from one of them.
        """
        names, wanted = self.names.tolist(), resolve_views(views)
        if not set(wanted) <= set(names):
            raise DataError(
                f"Held-out images were not predicted from all views. Received: {wanted} of "
                f"{names}. Predict them with predict_held_out_views."
            )
        mean = average([self.probabilities[names.index(view)] for view in wanted])
        return Predictions(self.ids, mean, self.truth)


def predict_held_out_views(
    member: Member,
    prepared: PreparedData,
    workspace: Workspace,
    views: Sequence[str],
    reporter: Reporter,
) -> HeldOutViews:
    """Predicts the held-out images of each fold of a run with that fold, from each view.

    They are saved in the run's folder and read again by the next call, which predicts from the
    views that are missing. Predictions of other images are replaced.

    Args:
        member: the run, of which all folds predict.
        prepared: the data that it was trained on.
        workspace: where it was trained.
        views: names of views or of sets.
        reporter: shows the progress.

    Raises:
        MissingError: the run has no folds.csv, since it has seen all training images.
        DataError: the folds are those of other images, or more than the run has models.
        UnknownNameError: there is no such view.
    """
    rows = prepared.index.rows("train")
    ids, truth = np.array(prepared.index.column("id", rows)), prepared.target_ids()
    fold_of = read_folds(workspace.require(member.run / "folds.csv", "train"), prepared.index)
    if np.unique(fold_of).tolist() != list(range(member.record.folds)):
        raise DataError(
            f"A run has not held out all training images. Received: {member.run} with weights of "
            f"{member.record.folds} folds, and {fold_of.max() + 1} folds in its folds.csv. Leave "
            "it out, or choose the views by hand."
        )
    saved = _read(member.run / FILE, ids) or _of_training(member.run / "oof.npz", ids)
    missing = [view for view in resolve_views(views) if view not in saved]
    if missing:
        targets = len(member.record.targets)
        predicted = np.empty((len(missing), len(rows), targets), np.float32)
        predictor = Predictor([])
        title = f"Held-out views of {member.record.name}"
        with reporter.bar(title, member.record.folds) as bar:
            for fold in range(member.record.folds):
                held_out = fold_of == fold
                by_view = [replace(member, folds=[fold], views=[view]) for view in missing]
                outputs = replace(predictor, members=by_view).predict_runs(
                    prepared.cache.images, rows[held_out], Silent()
                )
                for of_view, probabilities in outputs:
                    predicted[by_view.index(of_view), held_out] = probabilities
                bar.advance()
        saved |= dict(zip(missing, predicted, strict=True))
        with atomic_write(member.run / FILE) as temporary:
            np.savez_compressed(
                temporary,
                ids=ids,
                names=np.array(list(saved)),
                probabilities=np.stack(list(saved.values())),
            )
    return HeldOutViews(ids, np.array(list(saved)), np.stack(list(saved.values())), truth)


def _of_training(path: Path, ids: npt.NDArray[np.str_]) -> dict[str, npt.NDArray[np.float32]]:
    """Returns the probabilities of each view that the folds predicted from when they ended."""
    predictions = Predictions.load(path)
    if set(predictions.ids.tolist()) != set(ids.tolist()):
        return {}
    views = predictions.by_view
    return {view: predictions.from_view(view).of(ids.tolist()) for view in views}


def _read(path: Path, ids: npt.NDArray[np.str_]) -> dict[str, npt.NDArray[np.float32]]:
    """Returns the saved probabilities of each view; none where they are of other images."""
    try:
        # NumPy does not close a damaged file that it has opened itself.
        with path.open("rb") as stream, np.load(stream) as arrays:
            if arrays["ids"].tolist() != ids.tolist():
                return {}
            return dict(zip(arrays["names"].tolist(), arrays["probabilities"], strict=True))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        # There are none, or they are damaged; either way they are predicted.
        return {}
