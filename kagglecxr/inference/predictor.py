"""Predicts with finished runs: the mean of views and of folds, then a combination of runs."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from time import monotonic

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.core.deadline import Deadline
from kagglecxr.core.files import digest
from kagglecxr.core.progress import Reporter, Silent
from kagglecxr.data.sequences.sequence import OrderedSequence
from kagglecxr.inference.members import Member
from kagglecxr.inference.predictions import average
from kagglecxr.inference.traced_models import TracedModels
from kagglecxr.inference.tta import DEFAULT_VIEWS, VIEWS, resolve_views

Pixels = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.intp]
Probabilities = npt.NDArray[np.float32]
Fold = tuple[int, int]
"""The number of a member and of one of its folds."""

BATCH_SIZE = 64
TIME_RESERVE = 1.5
"""A fold is begun only where so many times the last one's seconds are left."""


@dataclass(frozen=True)
class PredictorOutput:
    """The probabilities (images, targets) of a `Predictor`, and how many of its folds predicted."""

    probabilities: Probabilities
    folds: int
    of: int


@dataclass(frozen=True)
class Predictor:
    """Predicts images with the folds of one or several runs, each from several views.

    The probabilities of a fold are the mean of its views, those of a run the mean of its folds.
    Folds that share a frozen trunk (same layers, same weights) run it once for each batch and view.
    A second call is faster than the first, which builds and traces the models.

    Attributes:
        members: the runs.
        combine: makes one array (images, targets) of those of the runs; defaults to their mean.
        models: the models built so far; predictors that predict in turn may have them in common.
    """

    members: Sequence[Member]
    combine: Callable[[Sequence[Probabilities]], Probabilities] = average
    models: TracedModels = field(default_factory=TracedModels, repr=False, compare=False)

    def predict(
        self,
        images: Pixels | Callable[[Member], Pixels],
        rows: Rows | None = None,
        *,
        reporter: Reporter = Silent(),  # noqa: B008 without state
        deadline: Deadline | None = None,
    ) -> PredictorOutput:
        """Predicts some images, with as many folds as there is time for, but at least one.

        Args:
            images: (N, H, W) or (N, H, W, C) uint8, as a memory map or an array; or a function
                that returns those of a member, as `ImageFiles.images`.
            rows: which of them; all where None.
            reporter: shows the progress.
            deadline: until when the predictions are needed; folds that do not fit are left out.
        """
        done: dict[Fold, Probabilities] = {}
        for folds in self._predict_folds(images, rows, reporter, deadline):
            done |= folds
        runs = [
            average([done[number, fold] for fold in member.folds if (number, fold) in done])
            for number, member in enumerate(self.members)
            if any((number, fold) in done for fold in member.folds)
        ]
        total = sum(len(member.folds) for member in self.members)
        return PredictorOutput(self.combine(runs), len(done), total)

    def predict_runs(
        self, images: Pixels, rows: Rows, reporter: Reporter
    ) -> Iterator[tuple[Member, Probabilities]]:
        """Yields each run with the mean of its folds, as soon as all of them have predicted."""
        waiting = dict(enumerate(self.members))
        done: dict[Fold, Probabilities] = {}
        for folds in self._predict_folds(images, rows, reporter):
            done |= folds
            for number, member in list(waiting.items()):
                if all((number, fold) in done for fold in member.folds):
                    del waiting[number]
                    yield member, average([done.pop((number, fold)) for fold in member.folds])

    def _predict_folds(
        self,
        images: Pixels | Callable[[Member], Pixels],
        rows: Rows | None,
        reporter: Reporter,
        deadline: Deadline | None = None,
    ) -> Iterator[dict[Fold, Probabilities]]:
        """Yields the probabilities of folds, one or several at a time, in their order."""
        seconds = -math.inf
        with reporter.bar("Predicting", sum(len(m.folds) for m in self.members)) as bar:
            for folds in self._groups:
                if deadline and deadline.left() < TIME_RESERVE * seconds:
                    return
                start = monotonic()
                number, fold = folds[0]
                member = self.members[number]
                pixels = images(member) if callable(images) else images
                chosen = np.arange(len(pixels)) if rows is None else rows
                if len(folds) > 1:
                    predicted = self._predict_on_trunk(folds, pixels, chosen)
                else:
                    function = self.models.whole(member, fold)
                    predicted = [_predict_in_batches(function, pixels, chosen, member.views)]
                yield dict(zip(folds, predicted, strict=True))
                seconds = monotonic() - start
                bar.advance(len(folds))

    @cached_property
    def _groups(self) -> list[list[Fold]]:
        """The folds in their order, those on one frozen trunk together."""
        total = sum(len(member.folds) for member in self.members)
        groups: dict[object, list[Fold]] = {}
        for number, member in enumerate(self.members):
            trunks = self._trunk_keys(member) if total > 1 else {}
            for fold in member.folds:
                groups.setdefault(trunks.get(fold, (number, fold)), []).append((number, fold))
        return list(groups.values())

    def _predict_on_trunk(
        self, folds: Sequence[Fold], images: Pixels, rows: Rows
    ) -> list[Probabilities]:
        """The probabilities of folds that share a frozen trunk."""
        members = [self.members[number] for number, _ in folds]
        views_of = [resolve_views(member.views) for member in members]
        trunk, heads = self._load_heads(members, [fold for _, fold in folds])
        outputs = [{view: list[Probabilities]() for view in views} for views in views_of]
        for view in dict.fromkeys(view for views in views_of for view in views):
            batches = OrderedSequence(images, rows, BATCH_SIZE, view=VIEWS[view].array)
            for batch in range(len(batches)):
                features = trunk.predict_on_batch(batches[batch][0])
                features = tuple(features) if isinstance(features, list) else features
                for head, output in zip(heads, outputs, strict=True):
                    if view in output:
                        # Called as it is: to compile a head for each fold takes longer.
                        predicted = head(features, training=False)
                        output[view].append(keras.ops.convert_to_numpy(predicted))
        return [
            _mean_of_views([np.concatenate(batches) for batches in output.values()])
            for output in outputs
        ]

    def _trunk_keys(self, member: Member) -> dict[int, str]:
        """A digest of the frozen trunk of each fold; empty where the whole model learned."""
        if member.record.recipe.get("trainable", "all") == "all":
            return {}
        keys = {}
        for fold in member.folds:
            trunk, _ = self.models.split(member, fold)
            if not trunk.weights:
                return {}
            layers = [{**each.get_config(), "name": type(each).__name__} for each in trunk.layers]
            weights = sha256()
            for array in trunk.get_weights():
                weights.update(array.tobytes())
            keys[fold] = digest(member.record.pipeline, layers, weights.hexdigest())
        return keys

    def _load_heads(
        self, members: Sequence[Member], folds: Sequence[int]
    ) -> tuple[keras.Model, list[keras.Model]]:
        """The trunk that folds share, and what each of them has on it."""
        heads: list[keras.Model] = []
        for member, fold in zip(members, folds, strict=True):
            trunk, head = self.models.split(member, fold)
            # A copy, so that the model and its trunk are in memory once.
            heads.append(keras.models.clone_model(head))
            heads[-1].set_weights(head.get_weights())
        return trunk, heads


def predict_views(
    model: keras.Model, images: Pixels, rows: Rows, *, views: Sequence[str] = DEFAULT_VIEWS
) -> Probabilities:
    """Predicts images with one model: the mean of several views.

    Args:
        model: takes a batch of raw pixels and returns probabilities.
        images: (N, H, W) or (N, H, W, C) uint8.
        rows: which of them.
        views: names of views, see `kagglecxr.inference.tta`.

    Returns:
        (rows, targets); one sigmoid unit becomes two columns.
    """
    # By `predict`: batch by batch, each device of a distributed model would get a whole batch.
    return _mean_of_views(
        [
            model.predict(
                OrderedSequence(images, rows, BATCH_SIZE, view=VIEWS[name].array), verbose=0
            )
            for name in resolve_views(views)
        ]
    )


def _predict_in_batches(
    function: Callable[[Pixels], Probabilities], images: Pixels, rows: Rows, views: Sequence[str]
) -> Probabilities:
    """Does what `predict_views` does, without the data pipeline that `predict` makes each time."""
    batches = OrderedSequence(images, rows, BATCH_SIZE)
    outputs = {name: list[Probabilities]() for name in resolve_views(views)}
    for number in range(len(batches)):
        pixels = batches[number][0]
        for name, output in outputs.items():
            output.append(function(VIEWS[name].array(pixels)))
    return _mean_of_views([np.concatenate(output) for output in outputs.values()])


def _mean_of_views(outputs: Sequence[Probabilities]) -> Probabilities:
    mean = average(outputs)
    return np.concatenate([1 - mean, mean], axis=1) if mean.shape[1] == 1 else mean
