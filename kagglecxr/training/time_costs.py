"""How long trainings take on this machine, expected from a batch of each."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

import numpy as np

from kagglecxr.training.recipe import Recipe
from kagglecxr.training.stage import build_model, compile_model, input_shape, precision_policy
from kagglecxr.training.task import Task

_BATCH = 64
_FOLD_SECONDS, _OPERATIONS_A_SECOND = 5.0, 1e10
"""What a fold of a linear classifier takes besides its solver, and how fast that is."""
_SOLVER_PASSES = 700
"""Operations of a solver for each value of an image and each target."""
_FORWARD = 1 / 3
"""The share of a training step that its forward pass takes."""


def seconds_of_features(task: Task, recipe: Recipe) -> float:
    """Returns the expected seconds of a linear classifier on frozen features, of all folds.

    That is one pass over the images, and a solver in each fold.
    """
    with precision_policy(recipe.precision):
        model = build_model(task, recipe)
    values = int(model.get_layer("logits").kernel.shape[0])
    batch = np.zeros((_BATCH, *input_shape(task.prepared)), np.float32)
    seconds = _seconds_of_second(lambda: model.predict_on_batch(batch))
    images, folds = _sizes(task)
    operations = _SOLVER_PASSES * images * min(images, values) * len(task.output_names)
    if images < values:
        operations += 2 * images * images * values
    return seconds * images / _BATCH + folds * (_FOLD_SECONDS + operations / _OPERATIONS_A_SECOND)


@dataclass(frozen=True)
class EpochCosts:
    """What a fine-tuning of all folds takes.

    Each epoch ends with a validation, and each fold with the views that the recipe predicts from
    and a pass over the images that it learned from.

    Attributes:
        step: seconds of a training batch.
        image: seconds in which an image is predicted.
        steps: training batches in an epoch.
        images: in the training set.
        folds: how many.
        views: of an image that are predicted.
    """

    step: float
    image: float
    steps: int
    images: int
    folds: int
    views: int

    def epochs_in(self, seconds: float, area: float = 1.0) -> int:
        """Returns how many epochs of all folds fit into so many seconds.

        `area` is that of the images, as a share of the area of those that were measured.
        """
        step, image, held_out = area * self.step, area * self.image, self.images / self.folds
        left = seconds / self.folds - image * (self.images + self.views * held_out)
        return int(left / (self.steps * step + image * held_out))


def epoch_costs(task: Task, recipe: Recipe) -> EpochCosts:
    """Returns what a fine-tuning is expected to take."""
    with precision_policy(recipe.precision):
        model = build_model(task, recipe)
    images, folds = _sizes(task)
    learned = images - images // folds
    steps = recipe.steps or -(-learned // recipe.batch_size)
    compile_model(model, task, recipe, steps)
    batch = np.zeros((recipe.batch_size, *input_shape(task.prepared)), np.float32)
    known = task.targets(task.prepared.fold == 0)[:]
    targets = np.resize(known, (len(batch), *model.output_shape[1:]))
    step = _seconds_of_second(lambda: model.train_on_batch(batch, targets))
    image = step / recipe.batch_size * _FORWARD
    return EpochCosts(step, image, steps, images, folds, len(recipe.views))


def _sizes(task: Task) -> tuple[int, int]:
    """How many training images and folds there are."""
    return len(task.prepared.fold), int(task.prepared.fold.max()) + 1


def _seconds_of_second(call: Callable[[], object]) -> float:
    """How long a call takes after the first, for which a graph is made."""
    call()
    start = monotonic()
    call()
    return monotonic() - start
