"""The two sides of one fold: batches to learn from, and held-out images to be judged by."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.data.folds import assert_disjoint
from kagglecxr.data.sequences.semi_supervised import (
    PseudoLabelledImages,
    SemiSupervisedSequence,
    unlabelled_per_batch,
)
from kagglecxr.data.sequences.sequence import OrderedSequence, SampledSequence
from kagglecxr.training.endless_batches import Batches
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.task import HeldOut, Outputs, Task

PooledFeatures = Callable[[npt.NDArray[np.intp]], list[npt.NDArray[np.float32]]]
"""Takes positions among the training images, returns features (images, channels) by depth."""


@dataclass(frozen=True)
class FitInputs:
    """What `fit` takes, and how the held-out images are predicted afterwards.

    Attributes:
        model: what learns; the whole model, or the part of it behind frozen layers.
        validation: returns batches of the held-out images and their targets, over and over.
        validation_steps: the batches that hold each held-out image once.
        predict: takes names of views, returns the predictions of the held-out images,
            (images, ...).
        pooled: the features that `add_pooled_features` adds, where a backbone is frozen and they
            are kept; None elsewhere.
    """

    model: keras.Model
    batches: SampledSequence
    validation: Batches
    validation_steps: int
    predict: Callable[[Sequence[str]], Outputs]
    pooled: PooledFeatures | None = None


class FoldData:
    """The two sides of one fold, with pseudo-labelled images of the test set if there are any.

    Attributes:
        rows: (n_train,) int, the cache's rows of all training images.
        held_out: (n_train,) bool, whether each of them is held out.

    Raises:
        LeakError: the two sides share a patient or duplicate group.
    """

    def __init__(
        self,
        task: Task,
        fold_of: npt.NDArray[np.intp],
        fold: int,
        unlabelled: PseudoLabelledImages | None = None,
    ) -> None:
        self.task, self.unlabelled = task, unlabelled
        self.held_out = fold_of == fold
        self.rows = task.prepared.index.rows("train")
        learned = self.rows[~self.held_out]
        if unlabelled is not None:
            learned = np.concatenate([learned, unlabelled.rows])
        sides = {"train": learned, "validation": self.rows[self.held_out]}
        groups = {name: task.prepared.index.column("group", rows) for name, rows in sides.items()}
        assert_disjoint(groups)

    def fit_inputs(self, model: keras.Model, recipe: Recipe, seed: int) -> FitInputs:
        """The inputs of a whole model, which sees the images themselves."""
        rows, targets = self.rows[self.held_out], self.task.targets(self.held_out)
        held_out = OrderedSequence(self.task.prepared.cache.images, rows, 64, targets=targets)
        return FitInputs(
            model,
            self.training_batches(recipe, seed),
            lambda batch: held_out[batch % len(held_out)],
            len(held_out),
            lambda views: self.task.predict(model, rows, views),
        )

    def training_batches(
        self, recipe: Recipe, seed: int, *, augmented: bool = True
    ) -> SampledSequence:
        """Batches of all other folds, by the recipe's sampling.

        Pseudo-labelled images replace a part of each batch. An epoch has as many batches as without
        them, so that a student learns in as many steps as its teacher, and what their scores are
        compared for are the pseudo-labels.
        """
        images, learned = self.task.prepared.cache.images, ~self.held_out
        transform = self.task.augmentation(recipe) if augmented else None
        rows, targets = self.rows[learned], self.task.targets(learned)
        sampler = self.task.sampler(learned, recipe, seed)
        if self.unlabelled is None:
            return SampledSequence(
                images, sampler, targets=targets, transform=transform, rows=rows, steps=recipe.steps
            )
        count = unlabelled_per_batch(recipe.batch_size)
        labelled = recipe.model_copy(update={"batch_size": recipe.batch_size - count})
        return SemiSupervisedSequence(
            images, self.task.sampler(learned, labelled, seed), self.unlabelled, count,
            targets=targets, transform=transform, rows=rows, steps=recipe.steps or sampler.batches,
        )  # fmt: skip

    def plain_images(self, recipe: Recipe, seed: int) -> Iterator[npt.NDArray[np.float32]]:
        """The images of one epoch of training batches, not augmented."""
        batches = self.training_batches(recipe, seed, augmented=False)
        for number in range(len(batches)):
            yield batches[number][0].astype(np.float32)

    def predictions(self, by_view: Mapping[str, Outputs]) -> HeldOut:
        """What was predicted for the held-out images from each view, with what is true."""
        return self.task.held_out(self.held_out, by_view)
