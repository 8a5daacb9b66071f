"""Predicts with finished runs: the mean of views and of folds, then a combination of runs."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from time import monotonic

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.core.deadline import Deadline
from kagglecxr.core.files import digest
from kagglecxr.core.progress import Reporter, Silent
from kagglecxr.data.sequences.sequence import OrderedSequence
from kagglecxr.inference.members import Member, rebuild_model
from kagglecxr.inference.predictions import average
from kagglecxr.inference.tta import DEFAULT_VIEWS, VIEWS
from kagglecxr.models.frozen_trunk import split_frozen_trunk

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

    Attributes:
        members: the runs.
        combine: makes one array (images, targets) of those of the runs; defaults to their mean.
    """

    members: Sequence[Member]
    combine: Callable[[Sequence[Probabilities]], Probabilities] = average

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
        model_of: dict[int, keras.Model] = {}
        seconds = -math.inf
        with reporter.bar("Predicting", sum(len(m.folds) for m in self.members)) as bar:
            for folds in self._groups():
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
                    if number not in model_of:
                        model_of = {number: rebuild_model(member.record)}
                    member.load_fold(model_of[number], fold)
                    views = member.views
                    predicted = [predict_views(model_of[number], pixels, chosen, views=views)]
                yield dict(zip(folds, predicted, strict=True))
                seconds = monotonic() - start
                bar.advance(len(folds))

    def _groups(self) -> list[list[Fold]]:
        """The folds in their order, those on one frozen trunk together."""
        total = sum(len(member.folds) for member in self.members)
        groups: dict[object, list[Fold]] = {}
        for number, member in enumerate(self.members):
            trunks = _trunk_keys(member) if total > 1 else {}
            for fold in member.folds:
                groups.setdefault(trunks.get(fold, (number, fold)), []).append((number, fold))
        return list(groups.values())

    def _predict_on_trunk(
        self, folds: Sequence[Fold], images: Pixels, rows: Rows
    ) -> list[Probabilities]:
        """The probabilities of folds that share a frozen trunk."""
        members = [self.members[number] for number, _ in folds]
        trunk, heads = _load_heads(members, [fold for _, fold in folds])
        outputs = [{view: list[Probabilities]() for view in member.views} for member in members]
        for view in dict.fromkeys(view for member in members for view in member.views):
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
            _mean_of_views([np.concatenate(output[view]) for view in member.views])
            for member, output in zip(members, outputs, strict=True)
        ]


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
    return _mean_of_views(
        [
            model.predict(
                OrderedSequence(images, rows, BATCH_SIZE, view=VIEWS[name].array), verbose=0
            )
            for name in views
        ]
    )


def _mean_of_views(outputs: Sequence[Probabilities]) -> Probabilities:
    mean = average(outputs)
    return np.concatenate([1 - mean, mean], axis=1) if mean.shape[1] == 1 else mean


def _split(member: Member) -> tuple[keras.Model, keras.Model, keras.Model]:
    """The model of a run, its frozen trunk, and what learned on the trunk's features."""
    model = rebuild_model(member.record, member.record.recipe["trainable"])
    return model, *split_frozen_trunk(model)


def _trunk_keys(member: Member) -> dict[int, str]:
    """What the frozen trunk of each fold is, as a digest; empty where the whole model learned."""
    if member.record.recipe.get("trainable", "all") == "all":
        return {}
    model, trunk, _ = _split(member)
    if not trunk.weights:
        return {}
    layers = [{**layer.get_config(), "name": type(layer).__name__} for layer in trunk.layers]
    keys = {}
    for fold in member.folds:
        member.load_fold(model, fold)
        weights = sha256()
        for array in trunk.get_weights():
            weights.update(array.tobytes())
        keys[fold] = digest(member.record.pipeline, layers, weights.hexdigest())
    return keys


def _load_heads(
    members: Sequence[Member], folds: Sequence[int]
) -> tuple[keras.Model, list[keras.Model]]:
    """The trunk that folds share, and what each of them has on it."""
    heads: list[keras.Model] = []
    before: Member | None = None
    for member, fold in zip(members, folds, strict=True):
        if member is not before:
            model, trunk, head = _split(member)
            before = member
        member.load_fold(model, fold)
        # A copy, so that the model and its trunk are in memory once.
        heads.append(keras.models.clone_model(head))
        heads[-1].set_weights(head.get_weights())
    return trunk, heads
