"""Trains what stands on the frozen layers of a backbone, on features that are worked out once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.core.deadline import Deadline
from kagglecxr.core.progress import Reporter
from kagglecxr.data.sequences.mixup import OneHot
from kagglecxr.data.sequences.sequence import EndlessSequence, SampledSequence
from kagglecxr.inference.predictions import average
from kagglecxr.models.frozen_trunk import split_frozen_trunk
from kagglecxr.models.zoo import MODELS
from kagglecxr.training.features.feature_cache import FeatureCache, Features
from kagglecxr.training.fold_data import FitInputs, FoldData
from kagglecxr.training.recipe import Recipe

AS_IS, MIRRORED = "identity", "hflip"
_BATCH = 64


def uses_frozen_features(recipe: Recipe) -> bool:
    """Whether what learns stands behind layers that give an image the same features every time.

    That is a backbone whose first layers are frozen, where images are mirrored at most.
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
    until: Deadline | None = None,
) -> FitInputs:
    """What learns of a model, on the features of what does not.

    Its layers are the model's own: once they have learned, so has the model.

    Args:
        data: of the fold.
        model: the whole, its first layers frozen.
        recipe: how to train.
        seed: of the fold.
        reporter: told of every batch of images on its way to features.
        until: when all that is trained has to be done; None for no hurry.

    Raises:
        SettingError: the images cannot be made into features by then.
    """
    trunk, learner = split_frozen_trunk(model)
    name = f"{recipe.model} {recipe.model_options.get('scaling', '')}"
    kept = FeatureCache(data.prepared.cache, data.rows, trunk, name, reporter, until)
    hflip = recipe.augmentation.hflip
    views = [kept.of(name) for name in ([AS_IS, MIRRORED] if hflip else [AS_IS])]
    held_out, targets = np.flatnonzero(data.held_out), data.held_out_targets()

    def pick(
        features: npt.NDArray[Any], targets: OneHot, random: np.random.Generator
    ) -> tuple[Any, OneHot]:
        mirrored = random.random(len(features)) < hflip
        chosen = features[np.arange(len(features)), mirrored.astype(np.intp), 0]
        return _as_input(kept.tensors(chosen)), targets

    def seen(view: Features, place: int) -> Any:
        return _as_input(kept.tensors(view[held_out[place * _BATCH :][:_BATCH]]))

    def judged_by(place: int) -> tuple[Any, OneHot]:
        place %= steps
        return seen(views[0], place), targets[place * _BATCH :][:_BATCH]

    def answers(names: Sequence[str]) -> npt.NDArray[np.float32]:
        return average([answered(kept.of(name)) for name in names])

    def answered(view: Features) -> npt.NDArray[np.float32]:
        found = [learner.predict_on_batch(seen(view, place)) for place in range(steps)]
        return np.concatenate(found)

    steps = -(-len(held_out) // _BATCH)
    return FitInputs(
        learner,
        SampledSequence(
            _StackedViews(views),  # type: ignore[arg-type]
            data.plan(recipe, seed),
            transform=pick,
            rows=np.flatnonzero(~data.held_out),
            steps=recipe.steps,
        ),
        EndlessSequence(judged_by),
        steps,
        answers,
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
