"""What one run's model sees in the test part, for the next run to learn from.

Soft pseudo-labels: Lee 2013, "Pseudo-label"; soft targets and a student trained anew after Xie et
al. 2020, "Self-training with noisy student" (arXiv:1911.04252). Probabilities are taken as they
are, without a threshold: an unsure answer says that it is unsure.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import MissingError, SettingError
from kagglecxr.core.run_record import WEIGHTS, fold_folder, read_run
from kagglecxr.data.prepare import PreparedData
from kagglecxr.data.sequences.semi_supervised import PseudoLabelledImages, unlabelled_per_batch
from kagglecxr.inference.ensemble import rebuild_model
from kagglecxr.inference.predictions import Predictions
from kagglecxr.inference.predictor import predict_views
from kagglecxr.models.weights.loading import load_weights
from kagglecxr.training.features.frozen_features import uses_frozen_features
from kagglecxr.training.recipe import Recipe

PSEUDO_LABELS = "pseudo_labels.npz"
"""What a student's fold keeps of its teacher's answers, in the fold's folder."""


@dataclass(frozen=True)
class Teacher:
    """A finished run whose answers on the test part another run learns from.

    Attributes:
        run: its folder.
        round: the student's, from 1.
    """

    run: Path
    round: int


def check_pseudo_labels(prepared: PreparedData, recipe: Recipe) -> None:
    """Refuses what cannot learn from pseudo-labels, before anything is trained.

    Raises:
        MissingError: there is no test part.
        SettingError: a recipe that learns from kept features, or whose batches hold one
            image.
    """
    if not len(prepared.index.rows("test")):
        raise MissingError(
            "There is no test part to label. Received: an index without test images. Run: "
            f"python -m kagglecxr.prepare {prepared.competition.name} --test 0.2"
        )
    if uses_frozen_features(recipe):
        raise SettingError(
            "What learns from kept features learns from labelled images alone. Received: "
            f"pseudo-labels with trainable={recipe.trainable} and no augmentation. Augment the "
            "images, as by --set augmentation.rotation=10, or leave the rounds out."
        )
    unlabelled_per_batch(recipe.batch_size)


def pseudo_labels(
    prepared: PreparedData, teacher: Teacher, fold_of: npt.NDArray[np.intp], folder: Path, fold: int
) -> PseudoLabelledImages:
    """The test part as the teacher's model of the same fold sees it, mean of its recipe's views.

    Never by the models of other folds, nor by their mean: they have learned from the labels of
    the images that are held out here, the student would learn these labels through the test
    images that resemble them, and its out-of-fold score would mean nothing. For the same reason
    images that share a patient or duplicate group with one that is held out are left out. True
    labels of the test part are not read, even where a rehearsal keeps them.

    Args:
        prepared: the data.
        teacher: whose answers.
        fold_of: the fold of each training image.
        folder: the student's run's, where the answers are kept and read again.
        fold: which is held out.
    """
    rows = _rows_apart(prepared, fold_of == fold)
    ids, path = prepared.index.column("id", rows), fold_folder(folder, fold) / PSEUDO_LABELS
    if not path.is_file():
        record = read_run(teacher.run)
        model = rebuild_model(record)
        load_weights(model, fold_folder(teacher.run, fold) / WEIGHTS)
        seen = predict_views(model, prepared.cache.images, rows, views=record.recipe["views"])
        Predictions(np.array(ids), seen, np.full(len(rows), -1, np.intp)).save(path)
    return PseudoLabelledImages(rows, Predictions.load(path).of(ids))


def _rows_apart(prepared: PreparedData, held_out: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """The test images that share no group with a held-out one."""
    index = prepared.index
    theirs = set(index.column("group", index.rows("train")[held_out]))
    rows = index.rows("test")
    apart = [group not in theirs for group in index.column("group", rows)]
    kept: npt.NDArray[np.intp] = rows[np.array(apart, bool)]
    return kept
