"""What a run's folds predict for their held-out images from single views, computed once."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError
from kagglecxr.core.metrics import Truth
from kagglecxr.core.progress import Reporter, Silent
from kagglecxr.core.run_record import OOF
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.index import read_folds
from kagglecxr.data.prepared import PreparedData
from kagglecxr.inference.members import Member
from kagglecxr.inference.predictions import Predictions, average
from kagglecxr.inference.predictor import Predictor
from kagglecxr.inference.tta import resolve_views

FILE = "views.npz"


def predict_held_out_views(
    member: Member,
    prepared: PreparedData,
    workspace: Workspace,
    views: Sequence[str],
    reporter: Reporter,
) -> Predictions:
    """Predicts the held-out images of each fold of a run with that fold, from each view.

    They are saved in the run's folder and read again by the next call, which predicts from the
    views that are missing. Predictions of other images or labels are replaced.

    Args:
        member: the run, of which all folds predict.
        prepared: the data that it was trained on.
        workspace: where it was trained.
        views: names of views or of sets.
        reporter: shows the progress.

    Returns:
        Those of all training images, the mean of the views, with each of them in `by_view`.

    Raises:
        MissingError: the run has no folds.csv, since it has seen all training images.
        DataError: the folds are those of other images, or more than the run has models.
        UnknownNameError: there is no such view.
    """
    rows = prepared.index.rows("train")
    ids, truth = np.array(prepared.index.column("id", rows)), prepared.truth()
    fold_of = read_folds(workspace.require(member.run / "folds.csv", "train"), prepared.index)
    if np.unique(fold_of).tolist() != list(range(member.record.folds)):
        raise DataError(
            f"A run has not held out all training images. Received: {member.run} with weights of "
            f"{member.record.folds} folds, and {fold_of.max() + 1} folds in its folds.csv. Leave "
            "it out, or choose the views by hand."
        )
    wanted = resolve_views(views)
    saved = _saved(member.run, ids, truth)
    missing = [view for view in wanted if view not in saved]
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
        kept = Predictions(ids, average(list(saved.values())), truth, saved)
        kept.save(member.run / FILE)
    found = {view: saved[view] for view in wanted}
    return Predictions(ids, average(list(found.values())), truth, found)


def _saved(
    run: Path, ids: npt.NDArray[np.str_], truth: Truth
) -> dict[str, npt.NDArray[np.float32]]:
    """Returns the saved probabilities of each view, of an earlier call or of the training itself.

    None are those of other images or labels, or in a damaged file: they are predicted again.
    """
    for file in (FILE, OOF):
        try:
            kept = Predictions.load(run / file)
        except DataError:
            continue
        order, kept_order = np.argsort(ids), np.argsort(kept.ids)
        if (
            kept.by_view
            and np.array_equal(kept.ids[kept_order], ids[order])
            and np.array_equal(kept.truth[kept_order], truth[order], equal_nan=True)
        ):
            return {view: kept.from_view(view).of(ids.tolist()) for view in kept.by_view}
    return {}
