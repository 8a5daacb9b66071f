"""Predicts with finished runs: the mean of views and of folds, then a combination of runs."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from time import monotonic

import keras
import numpy as np

from kagglecxr.core.deadline import Deadline
from kagglecxr.core.files import digest
from kagglecxr.core.progress import Reporter, Silent
from kagglecxr.data.images.image_array import ImageArray
from kagglecxr.data.sequences.sequence import OrderedSequence
from kagglecxr.inference.members import Member
from kagglecxr.inference.novelty import Novelty, Scores
from kagglecxr.inference.predictions import PLAIN_VIEW, average
from kagglecxr.inference.traced_models import TracedModels
from kagglecxr.inference.tta import VIEWS, resolve_views
from kagglecxr.inference.view_passes import (
    BATCH_SIZE,
    Array,
    Probabilities,
    Rows,
    as_arrays,
    concatenate_batches,
    mean_of_views,
    predict_in_batches,
    views_to_predict,
)

Fold = tuple[int, int]
"""The number of a member and of one of its folds."""

TIME_RESERVE = 1.5
"""A fold is begun only where so many times the last one's seconds are left."""


@dataclass(frozen=True)
class PredictorOutput:
    """What a `Predictor` predicts, and how many of its folds did.

    Attributes:
        probabilities: (images, targets).
        novelty: (images,), how unlike the training images they are, more than 1 where they look
            unusual; the mean over the folds that know, None where none does.
    """

    probabilities: Probabilities
    folds: int
    of: int
    novelty: Scores | None = None


@dataclass(frozen=True)
class FoldOutput:
    """The probabilities (images, targets) of one fold, and their novelty (images,) if it knows."""

    probabilities: Probabilities
    novelty: Scores | None


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
        novelties: of the folds that tell how unusual images are, see `load_novelties`. They cost no
            further pass where the views contain the image as it is.
    """

    members: Sequence[Member]
    combine: Callable[[Sequence[Probabilities]], Probabilities] = average
    models: TracedModels = field(default_factory=TracedModels, repr=False, compare=False)
    novelties: Mapping[Fold, Novelty] = field(default_factory=dict)

    def predict(
        self,
        images: ImageArray | Callable[[Member], ImageArray],
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
        novelty: list[Scores] = []
        for folds in self._predict_folds(images, rows, reporter, deadline):
            done |= {fold: output.probabilities for fold, output in folds.items()}
            novelty += [each.novelty for each in folds.values() if each.novelty is not None]
        runs = [
            average([done[number, fold] for fold in member.folds if (number, fold) in done])
            for number, member in enumerate(self.members)
            if any((number, fold) in done for fold in member.folds)
        ]
        total = sum(len(member.folds) for member in self.members)
        mean = np.mean(novelty, axis=0) if novelty else None
        return PredictorOutput(self.combine(runs), len(done), total, mean)

    def predict_runs(
        self, images: ImageArray, rows: Rows, reporter: Reporter
    ) -> Iterator[tuple[Member, Probabilities]]:
        """Yields each run with the mean of its folds, as soon as all of them have predicted."""
        waiting = dict(enumerate(self.members))
        done: dict[Fold, Probabilities] = {}
        for folds in self._predict_folds(images, rows, reporter):
            done |= {fold: output.probabilities for fold, output in folds.items()}
            for number, member in list(waiting.items()):
                if all((number, fold) in done for fold in member.folds):
                    del waiting[number]
                    yield member, average([done.pop((number, fold)) for fold in member.folds])

    def _predict_folds(
        self,
        images: ImageArray | Callable[[Member], ImageArray],
        rows: Rows | None,
        reporter: Reporter,
        deadline: Deadline | None = None,
    ) -> Iterator[dict[Fold, FoldOutput]]:
        """Yields what folds predict, one or several at a time, in their order."""
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
                    pooled = (number, fold) in self.novelties
                    function = self.models.whole(member, fold, pooled=pooled)
                    views = views_to_predict(member.views, pooled)
                    predicted = [predict_in_batches(function, pixels, chosen, views)]
                yield {
                    fold: self._fold_output(fold, by_view)
                    for fold, by_view in zip(folds, predicted, strict=True)
                }
                seconds = monotonic() - start
                bar.advance(len(folds))

    def _fold_output(self, fold: Fold, by_view: Mapping[str, Sequence[Array]]) -> FoldOutput:
        views = resolve_views(self.members[fold[0]].views)
        probabilities = mean_of_views([by_view[view][0] for view in views])
        if fold not in self.novelties:
            return FoldOutput(probabilities, None)
        novelty = self.novelties[fold].scores(by_view[PLAIN_VIEW][1:])
        return FoldOutput(probabilities, novelty)

    @cached_property
    def _groups(self) -> list[list[Fold]]:
        """The folds in their order, those on one frozen trunk together."""
        total = sum(len(member.folds) for member in self.members)
        groups: dict[object, list[Fold]] = {}
        for number, member in enumerate(self.members):
            trunks = self._trunk_keys(number) if total > 1 else {}
            for fold in member.folds:
                groups.setdefault(trunks.get(fold, (number, fold)), []).append((number, fold))
        return list(groups.values())

    def _predict_on_trunk(
        self, folds: Sequence[Fold], images: ImageArray, rows: Rows
    ) -> list[dict[str, list[Array]]]:
        """Does what `predict_in_batches` does with folds that share a frozen trunk."""
        views_of = [
            views_to_predict(self.members[number].views, (number, fold) in self.novelties)
            for number, fold in folds
        ]
        trunk, heads = self._load_heads(folds)
        outputs = [{view: list[Sequence[Array]]() for view in views} for views in views_of]
        for view in dict.fromkeys(view for views in views_of for view in views):
            batches = OrderedSequence(images, rows, BATCH_SIZE, view=VIEWS[view].array)
            for batch in range(len(batches)):
                features = trunk.predict_on_batch(batches[batch][0])
                features = tuple(features) if isinstance(features, list) else features
                for head, output in zip(heads, outputs, strict=True):
                    if view in output:
                        # Called as it is: to compile a head for each fold takes longer.
                        output[view].append(as_arrays(head(features, training=False), view))
        return [concatenate_batches(output) for output in outputs]

    def _trunk_keys(self, number: int) -> dict[int, str]:
        """A digest of the frozen trunk of each fold; empty where the whole model learned."""
        member = self.members[number]
        if member.record.recipe.get("trainable", "all") == "all":
            return {}
        keys = {}
        for fold in member.folds:
            trunk, _ = self.models.split(member, fold, pooled=(number, fold) in self.novelties)
            if not trunk.weights:
                return {}
            layers = [{**each.get_config(), "name": type(each).__name__} for each in trunk.layers]
            weights = sha256()
            for array in trunk.get_weights():
                weights.update(array.tobytes())
            keys[fold] = digest(member.record.pipeline, layers, weights.hexdigest())
        return keys

    def _load_heads(self, folds: Sequence[Fold]) -> tuple[keras.Model, list[keras.Model]]:
        """The trunk that folds share, and what each of them has on it."""
        heads: list[keras.Model] = []
        for number, fold in folds:
            pooled = (number, fold) in self.novelties
            trunk, head = self.models.split(self.members[number], fold, pooled=pooled)
            # A copy, so that the model and its trunk are in memory once.
            heads.append(keras.models.clone_model(head))
            heads[-1].set_weights(head.get_weights())
        return trunk, heads
