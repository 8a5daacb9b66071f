"""Trains the layers behind a frozen trunk on the trunk's features, which are computed once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.core.deadline import Deadline
from kagglecxr.core.progress import Reporter
from kagglecxr.data.sequences.mixup import OneHot
from kagglecxr.data.sequences.sequence import SampledSequence
from kagglecxr.inference.predictions import PLAIN_VIEW, average
from kagglecxr.inference.tta import HFLIP
from kagglecxr.models.frozen_trunk import split_frozen_trunk
from kagglecxr.models.zoo import MODELS
from kagglecxr.training.features.feature_cache import FeatureCache, Features
from kagglecxr.training.fold_data import FitInputs, FoldData
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


def frozen_fit_inputs(
    data: FoldData,
    model: keras.Model,
    recipe: Recipe,
    seed: int,
    reporter: Reporter,
    deadline: Deadline | None = None,
) -> FitInputs:
    """The inputs of the part of a model that learns: the features of its frozen layers.

    That part shares its layers with the model, so once it has learned, so has the model.

    Raises:
        SettingError: the features cannot be computed by then.
    """
    trunk, learner = split_frozen_trunk(model)
    name = f"{recipe.model} {recipe.model_options.get('scaling', '')}"
    cache = FeatureCache(data.task.prepared.cache, data.rows, trunk, name, reporter, deadline)
    hflip = recipe.augmentation.hflip
    views = [cache.of(name) for name in ([PLAIN_VIEW, HFLIP] if hflip else [PLAIN_VIEW])]
    held_out, targets = np.flatnonzero(data.held_out), data.task.targets(data.held_out)
    steps = -(-len(held_out) // _BATCH)

    def flip(
        features: npt.NDArray[Any], targets: OneHot, random: np.random.Generator
    ) -> tuple[Any, OneHot]:
        flipped = random.random(len(features)) < hflip
        chosen = features[np.arange(len(features)), flipped.astype(np.intp), 0]
        return _as_input(cache.tensors(chosen)), targets

    def held_out_batch(view: Features, number: int) -> Any:
        return _as_input(cache.tensors(view[held_out[number * _BATCH :][:_BATCH]]))

    def validation_batch(number: int) -> tuple[Any, OneHot]:
        number %= steps
        return held_out_batch(views[0], number), targets[number * _BATCH :][:_BATCH]

    def predict_view(view: Features) -> Outputs:
        batches = [learner.predict_on_batch(held_out_batch(view, n)) for n in range(steps)]
        return np.concatenate(batches)

    return FitInputs(
        learner,
        SampledSequence(
            _StackedViews(views),  # type: ignore[arg-type]
            data.task.sampler(~data.held_out, recipe, seed),
            targets=data.task.targets(~data.held_out),
            transform=flip,
            rows=np.flatnonzero(~data.held_out),
            steps=recipe.steps,
        ),
        validation_batch,
        steps,
        lambda names: average([predict_view(cache.of(name)) for name in names]),
    )


def _as_input(tensors: list[npt.NDArray[np.float32]]) -> Any:
    return tensors[0] if len(tensors) == 1 else tuple(tensors)


@dataclass(frozen=True)
class _StackedViews:
    """Features from several views, as if one array (images, views, 1, values)."""

    views: Sequence[Features]

    def __len__(self) -> int:
        return len(self.views[0])

    def __getitem__(self, rows: npt.NDArray[np.intp]) -> Features:
        taken = np.stack([view[rows] for view in self.views], axis=1)
        return taken[:, :, None]
