"""Self-training: a run's predictions of the test set, for the next run to learn from.

Soft pseudo-labels: Lee 2013, "Pseudo-label"; soft targets and a student trained anew after Xie et
al. 2020, "Self-training with noisy student" (arXiv:1911.04252). Probabilities are used without a
threshold: an unsure prediction says that it is unsure. Those of findings, which do not compete for
an image, are used one by one where their calibrated confidence is high; see `sure_findings`.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import MissingError, SettingError
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import OOF, read_run
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.prepared import PreparedData, prepare_again
from kagglecxr.data.sequences.semi_supervised import PseudoLabelledImages, unlabelled_per_batch
from kagglecxr.inference.members import make_member
from kagglecxr.inference.predictions import Predictions, unlabelled
from kagglecxr.inference.predictor import Predictor
from kagglecxr.training.features.frozen_features import uses_frozen_features
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.run import RunOptions, train_run
from kagglecxr.training.run_spec import RunSpec
from kagglecxr.training.sure_findings import sure_findings
from kagglecxr.training.task import Outputs

PSEUDO_LABELS = "pseudo_labels.npz"
"""Where a student's fold keeps its teacher's predictions, in the fold's folder."""


@dataclass(frozen=True)
class Teacher:
    """A finished run whose predictions of the test set another run learns from.

    `round` is the student's, from 1.
    """

    run: Path
    round: int

    def label(self, run: RunSpec, fold: int) -> PseudoLabelledImages | None:
        """Labels the test set with the teacher's model of the same fold, mean of its views.

        Never with the models of other folds, nor with their mean: they have learned from the labels
        of the images that are held out here, the student would learn these labels through the test
        images that resemble them, and its out-of-fold score would mean nothing. For the same reason
        images that share a patient or duplicate group with one that is held out are left out. True
        labels of the test set are not read, even where a rehearsal keeps them. The labels are saved
        in the folder of the student's run.

        Of findings the confidence is calibrated on the out-of-fold predictions of the other folds,
        whose labels the student learns from anyway. Images of which no finding is sure are left
        out; None where there is no other.
        """
        rows = unrelated_rows(run.prepared, run.fold_of == fold)
        ids, path = run.prepared.index.column("id", rows), run.fold_folder(fold) / PSEUDO_LABELS
        if not path.is_file():
            member = make_member(self.run, read_run(self.run), fold)
            output = Predictor([member]).predict(run.prepared.cache.images, rows)
            labels = output.probabilities
            if run.prepared.competition.classes.multilabel:
                labels = self._sure_of(labels, run, run.fold_of != fold)
            unlabelled(ids, labels).save(path)
        labels = Predictions.load(path).of(ids)
        is_used = ~np.isnan(labels).all(axis=1)
        return PseudoLabelledImages(rows[is_used], labels[is_used]) if is_used.any() else None

    def _sure_of(self, predicted: Outputs, run: RunSpec, learned: npt.NDArray[np.bool_]) -> Outputs:
        """Returns what is sure of the predicted findings, NaN elsewhere."""
        index = run.prepared.index
        ids = index.column("id", index.rows("train")[learned])
        out_of_fold = Predictions.load(self.run / OOF).of(ids)
        return sure_findings(out_of_fold, run.prepared.findings()[learned], predicted)


def train_pseudo_rounds(
    prepared: PreparedData,
    workspace: Workspace,
    recipe: Recipe,
    reporter: Reporter,
    options: RunOptions = RunOptions(),  # noqa: B008 frozen
    *,
    rounds: int = 0,
) -> Path:
    """Trains a run, and then students of it as long as each is better than its teacher.

    Round 0 is the run itself. In each further round every fold's student is trained anew, on its
    labelled images and on the test set with the predictions of the previous round's model of the
    same fold: see `Teacher.label` for why of that model alone. A round is better if its out-of-fold
    score is, by the competition's metric and on true labels; the first that is not ends the rounds.
    Each is a run of its own, so that an interruption costs no more than an epoch.

    Returns:
        The folder of the best run.

    Raises:
        SettingError: a recipe that cannot learn from pseudo-labels.
        MissingError: there is no test set.
    """
    if rounds:
        check_pseudo_labels(prepared, workspace, recipe)
    timed = options.with_time_share(rounds + 1)
    best = train_run(prepared, workspace, recipe, reporter, timed)
    metric = prepared.competition.evaluation_metric()
    for number in range(1, rounds + 1):
        timed = options.with_time_share(rounds + 1 - number)
        taught = replace(timed, teacher=Teacher(best, number))
        student = train_run(prepared, workspace, recipe, reporter, taught)
        before, after = (read_run(run).metrics[f"oof_{metric.name}"] for run in (best, student))
        scores = f"Round {number}: out-of-fold {metric.name} {after:.4f} after {before:.4f}"
        if not metric.better(after, before):
            reporter.note(f"{scores}: not better, so {best.name} is kept; no more rounds follow.")
            break
        reporter.note(f"{scores}: {student.name} is kept.")
        best = student
    return best


def check_pseudo_labels(prepared: PreparedData, workspace: Workspace, recipe: Recipe) -> None:
    """Refuses what cannot learn from pseudo-labels, before anything is trained.

    Raises:
        MissingError: there is no test set.
        SettingError: a recipe that learns from frozen features, or whose batches hold one image.
    """
    if not len(prepared.index.rows("test")):
        raise MissingError(
            "There is no test set to label. Received: an index without test images. Run: "
            f"{prepare_again(workspace, test='0.2')}"
        )
    if uses_frozen_features(recipe):
        raise SettingError(
            "A head on frozen features learns from labelled images alone. Received: pseudo-labels "
            f"with trainable={recipe.trainable} and no augmentation. Augment the images, as by "
            "--set augmentation.rotation=10, or leave the rounds out."
        )
    unlabelled_per_batch(recipe.batch_size)


def unrelated_rows(prepared: PreparedData, held_out: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """Returns the rows of test images that share no group with a held-out one (n_train,)."""
    index = prepared.index
    theirs = set(index.column("group", index.rows("train")[held_out]))
    rows = index.rows("test")
    unrelated = [group not in theirs for group in index.column("group", rows)]
    kept: npt.NDArray[np.intp] = rows[np.array(unrelated, bool)]
    return kept
