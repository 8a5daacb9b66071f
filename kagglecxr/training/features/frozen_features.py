"""Trains the layers behind a frozen trunk on the trunk's features, which are computed once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.core.deadline import Deadline
from kagglecxr.core.progress import Reporter
from kagglecxr.data.sequences.mixup import OneHot
from kagglecxr.data.sequences.sequence import SampledSequence, TargetRows
from kagglecxr.inference.predictions import PLAIN_VIEW, average
from kagglecxr.inference.tta import HFLIP
from kagglecxr.models.feature_maps import add_pooled_features
from kagglecxr.models.frozen_trunk import split_frozen_trunk
from kagglecxr.models.zoo import MODELS
from kagglecxr.training.features.feature_cache import FeatureCache, Features
from kagglecxr.training.fold_data import FitInputs, FoldData, PooledFeatures
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.task import Outputs

_BATCH = 64


def uses_frozen_features(recipe: Recipe) -> bool:
    """Whether an image has the same features each time that it is trained on.

    That is with a backbone whose first layers are frozen, and images that are flipped at most.
    """
    random = recipe.augmentation.model_dump(exclude={"where", "hflip"})
    fixed = recipe.augmentation.where == "data" and not any(random.values())
    return fixed and recipe.trainable != "all" and MODELS[recipe.model].kind == "backbone"


@dataclass(frozen=True)
class FrozenFeatures:
    """The features of all training images, and the part of a model that learns from them.

    That part shares its layers with the model, so once it has learned, so has the model.

    Attributes:
        cache: of the features that the learner takes and, where the whole backbone is frozen, those
            that tell unusual images.
    """

    data: FoldData
    learner: keras.Model
    cache: FeatureCache

    def fit_inputs(self, recipe: Recipe, seed: int) -> FitInputs:
        """The inputs of the part that learns in epochs.

        Raises:
            SettingError: the features cannot be computed in time.
        """
        data, hflip = self.data, recipe.augmentation.hflip
        views = [self.cache.of(name) for name in self._views(recipe)]
        targets = data.task.targets(data.held_out)

        def flip(
            features: npt.NDArray[Any], targets: OneHot, random: np.random.Generator
        ) -> tuple[Any, OneHot]:
            flipped = random.random(len(features)) < hflip
            chosen = features[np.arange(len(features)), flipped.astype(np.intp), 0]
            return self.as_input(chosen), targets

        def validation_batch(number: int) -> tuple[Any, OneHot]:
            number %= self._steps
            return self._batch(views[0], number), targets[number * _BATCH :][:_BATCH]

        batches = SampledSequence(
            _StackedViews(views),  # type: ignore[arg-type]
            data.task.sampler(~data.held_out, recipe, seed),
            targets=data.task.targets(~data.held_out),
            transform=flip,
            rows=np.flatnonzero(~data.held_out),
            steps=recipe.steps,
        )
        return FitInputs(
            self.learner, batches, validation_batch, self._steps, self.predict, self._pooled()
        )

    def learned(self, recipe: Recipe) -> tuple[Any, npt.NDArray[Any]]:
        """The tensors and targets of the images to learn from, those of each view in turn.

        Raises:
            SettingError: the features cannot be computed in time.
        """
        rows, names = np.flatnonzero(~self.data.held_out), self._views(recipe)
        features = np.concatenate([self.cache.of(name)[rows] for name in names])
        targets = self.data.task.targets(~self.data.held_out)[:]
        return self.as_input(features), np.concatenate([targets] * len(names))

    def held_out(self) -> tuple[Any, TargetRows]:
        """The tensors of the held-out images as they are, and their targets."""
        view = self.cache.of(PLAIN_VIEW)
        return self.as_input(view[self._held_out]), self.data.task.targets(self.data.held_out)

    def as_input(self, values: Features) -> Any:
        """What the part that learns takes, of (images, values)."""
        tensors = self.cache.tensors(values)[: len(self.learner.inputs)]
        return tensors[0] if len(tensors) == 1 else tuple(tensors)

    def predict(self, names: Sequence[str]) -> Outputs:
        """What is predicted of the held-out images, the mean over these views."""
        views = [self.cache.of(name) for name in names]
        return average([self._predict_view(view) for view in views])

    def _pooled(self) -> PooledFeatures | None:
        first = len(self.learner.inputs)
        if len(self.cache.trunk.outputs) == first:
            return None
        view = self.cache.of(PLAIN_VIEW)
        return lambda rows: self.cache.tensors(view[rows])[first:]

    def _views(self, recipe: Recipe) -> list[str]:
        return [PLAIN_VIEW, HFLIP] if recipe.augmentation.hflip else [PLAIN_VIEW]

    @cached_property
    def _held_out(self) -> npt.NDArray[np.intp]:
        return np.flatnonzero(self.data.held_out)

    @property
    def _steps(self) -> int:
        return -(-len(self._held_out) // _BATCH)

    def _batch(self, view: Features, number: int) -> Any:
        return self.as_input(view[self._held_out[number * _BATCH :][:_BATCH]])

    def _predict_view(self, view: Features) -> Outputs:
        parts = [self.learner.predict_on_batch(self._batch(view, n)) for n in range(self._steps)]
        return np.concatenate(parts)


def frozen_features(
    data: FoldData,
    model: keras.Model,
    recipe: Recipe,
    reporter: Reporter,
    deadline: Deadline | None = None,
) -> FrozenFeatures:
    """The features of a model's frozen layers, computed when they are first asked for."""
    trunk, learner = split_frozen_trunk(model)
    pooled = add_pooled_features(model).outputs[1:]
    if not keras.Model(model.input, pooled).trainable_weights:
        outputs = [*keras.tree.flatten(trunk.output), *pooled]
        trunk = keras.Model(trunk.input, outputs, name=model.name)
    name = " ".join(str(recipe.model_options.get(key, "")) for key in ("scaling", "side"))
    precision = "" if recipe.precision == "float32" else recipe.precision
    name = f"{recipe.model} {name}{precision}"
    cache = FeatureCache(data.task.prepared.cache, data.rows, trunk, name, reporter, deadline)
    return FrozenFeatures(data, learner, cache)


@dataclass(frozen=True)
class _StackedViews:
    """Features from several views, as if one array (images, views, 1, values)."""

    views: Sequence[Features]

    def __len__(self) -> int:
        return len(self.views[0])

    def __getitem__(self, rows: npt.NDArray[np.intp]) -> Features:
        taken = np.stack([view[rows] for view in self.views], axis=1)
        return taken[:, :, None]
