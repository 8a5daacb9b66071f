"""The two sides of one fold, as batches to learn from and images to be judged by."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.data.folds import assert_disjoint
from kagglecxr.data.prepare import PreparedData
from kagglecxr.data.samplers.epoch_sampler import EpochSampler
from kagglecxr.data.samplers.progressive import linear_rate
from kagglecxr.data.samplers.sampling import make_sampler
from kagglecxr.data.sequences.semi_supervised import (
    PseudoLabelledImages,
    SemiSupervisedSequence,
    unlabelled_per_batch,
)
from kagglecxr.data.sequences.sequence import EndlessSequence, OrderedSequence, SampledSequence
from kagglecxr.inference.predictor import predict_views
from kagglecxr.training.recipe import Recipe


@dataclass(frozen=True)
class FitInputs:
    """What `fit` is given, and how the held-out images are answered afterwards.

    Attributes:
        model: what learns; the whole model, or its head.
        batches: to learn from.
        validation: the held-out images with their targets, over and over.
        validation_steps: batches after which each was seen once; None where they are an array.
        answers: takes names of views, gives the held-out images' probabilities (images, targets).
    """

    model: keras.Model
    batches: SampledSequence
    validation: Any
    validation_steps: int | None
    answers: Callable[[Sequence[str]], npt.NDArray[np.float32]]


class FoldData:
    """The two sides of one fold, as rows of the cache.

    Args:
        prepared: the data.
        fold_of: the fold of each training image.
        fold: which is held out.
        unlabelled: images of the test part to be learned from besides, with soft targets.

    Attributes:
        rows: the cache's rows of all training images.
        held_out: whether each of them is held out, (training images,).

    Raises:
        LeakError: the two sides share a patient or duplicate group.
    """

    def __init__(
        self,
        prepared: PreparedData,
        fold_of: npt.NDArray[np.intp],
        fold: int,
        unlabelled: PseudoLabelledImages | None = None,
    ) -> None:
        self.prepared, self.unlabelled = prepared, unlabelled
        self.held_out = fold_of == fold
        self.rows = prepared.index.rows("train")
        learned = self.rows[~self.held_out]
        if unlabelled is not None:
            learned = np.concatenate([learned, unlabelled.rows])
        groups = {
            name: prepared.index.column("group", side)
            for name, side in (("train", learned), ("validation", self.rows[self.held_out]))
        }
        assert_disjoint(groups)

    def fitting(self, model: keras.Model, recipe: Recipe, seed: int) -> FitInputs:
        """A whole model on the images themselves."""
        images, rows = self.prepared.cache.images, self.rows[self.held_out]
        held_out = OrderedSequence(images, rows, batch_size=64, targets=self.held_out_targets())
        return FitInputs(
            model,
            self.training_batches(recipe, seed),
            EndlessSequence(lambda place: held_out[place % len(held_out)]),
            len(held_out),
            lambda views: predict_views(model, images, rows, views=views),
        )

    def training_batches(
        self, recipe: Recipe, seed: int, *, augmented: bool = True
    ) -> SampledSequence:
        """Batches of all other folds, by the recipe's sampling.

        Images without a label take their places from a batch's labelled ones. An epoch has as many
        batches as without them, so that a student learns in as many steps as its teacher, and what
        its score is compared for are the pseudo-labels.
        """
        images, rows = self.prepared.cache.images, self.rows[~self.held_out]
        transform = recipe.augmentation if augmented else None
        if self.unlabelled is None:
            return SampledSequence(
                images, self.plan(recipe, seed), transform=transform, rows=rows, steps=recipe.steps
            )
        places = unlabelled_per_batch(recipe.batch_size)
        labelled = recipe.model_copy(update={"batch_size": recipe.batch_size - places})
        return SemiSupervisedSequence(
            images, self.plan(labelled, seed), self.unlabelled, places,
            transform=transform, rows=rows, steps=recipe.steps or self.plan(recipe, seed).batches,
        )  # fmt: skip

    def plan(self, recipe: Recipe, seed: int) -> EpochSampler:
        """Which image of the other folds stands where in an epoch."""
        labels = self.prepared.class_ids()[~self.held_out]
        pools = self.prepared.competition.pools()
        rate = linear_rate(*recipe.balance, recipe.epochs)
        return make_sampler(recipe.sampling, labels, pools, recipe.batch_size, seed, rate)

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
