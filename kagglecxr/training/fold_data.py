"""The two sides of one fold, as batches to learn from and images to be judged by."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.data.batches.plan import EpochPlan
from kagglecxr.data.batches.sampling import make_plan
from kagglecxr.data.batches.sequence import OrderedSequence, PlannedSequence
from kagglecxr.data.folds import assert_disjoint
from kagglecxr.data.preparation import Prepared
from kagglecxr.inference.predicting import predict
from kagglecxr.training.recipe import Recipe


@dataclass(frozen=True)
class Fitting:
    """What `fit` is given, and how the held-out images are answered afterwards.

    Attributes:
        model: what learns; the whole model, or its head.
        batches: to learn from.
        validation: the held-out images with their targets.
        answers: takes names of views, gives the held-out images' probabilities (images, targets).
    """

    model: keras.Model
    batches: PlannedSequence
    validation: Any
    answers: Callable[[Sequence[str]], npt.NDArray[np.float32]]


class FoldData:
    """The two sides of one fold, as rows of the cache.

    Args:
        prepared: the data.
        fold_of: the fold of each training image.
        fold: which is held out.

    Attributes:
        rows: the cache's rows of all training images.
        held_out: whether each of them is held out, (training images,).

    Raises:
        LeakError: the two sides share a patient or duplicate group.
    """

    def __init__(self, prepared: Prepared, fold_of: npt.NDArray[np.intp], fold: int) -> None:
        self.prepared = prepared
        self.held_out = fold_of == fold
        self.rows = prepared.index.rows("train")
        groups = {
            name: prepared.index.column("group", self.rows[side])
            for name, side in (("train", ~self.held_out), ("validation", self.held_out))
        }
        assert_disjoint(groups)

    def fitting(self, model: keras.Model, recipe: Recipe, seed: int) -> Fitting:
        """A whole model on the images themselves."""
        images, rows = self.prepared.cache.images, self.rows[self.held_out]
        return Fitting(
            model,
            self.training_batches(recipe, seed),
            OrderedSequence(images, rows, batch_size=64, targets=self.held_out_targets()),
            lambda views: predict(model, images, rows, views=views),
        )

    def training_batches(
        self, recipe: Recipe, seed: int, *, augmented: bool = True
    ) -> PlannedSequence:
        """Batches of all other folds, by the recipe's sampling."""
        return PlannedSequence(
            self.prepared.cache.images,
            self.plan(recipe, seed),
            transform=recipe.augmentation if augmented else None,
            rows=self.rows[~self.held_out],
        )

    def plan(self, recipe: Recipe, seed: int) -> EpochPlan:
        """Which image of the other folds stands where in an epoch."""
        labels = self.prepared.class_ids()[~self.held_out]
        pools = self.prepared.competition.pools()
        return make_plan(recipe.sampling, labels, pools, recipe.batch_size, seed)

    def plain_images(self, recipe: Recipe, seed: int) -> Iterator[npt.NDArray[np.float32]]:
        """The images of one epoch of training batches, not augmented."""
        batches = self.training_batches(recipe, seed, augmented=False)
        for number in range(len(batches)):
            yield batches[number][0].astype(np.float32)

    def held_out_truth(self) -> npt.NDArray[np.intp]:
        """The target ids of the held-out images."""
        truth: npt.NDArray[np.intp] = self.prepared.target_ids()[self.held_out]
        return truth

    def held_out_targets(self) -> npt.NDArray[np.float32]:
        """The same as rows of 0 and 1."""
        targets = np.eye(len(self.prepared.competition.targets()), dtype=np.float32)
        return targets[self.held_out_truth()]

    def held_out_ids(self) -> npt.NDArray[np.str_]:
        """The held-out images' ids."""
        return np.array(self.prepared.index.column("id", self.rows[self.held_out]))
