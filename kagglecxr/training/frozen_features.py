"""Trains what stands on the frozen layers of a backbone, on features that are worked out once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.core.progress import Reporter
from kagglecxr.data.batches.endless import EndlessSequence
from kagglecxr.data.batches.mixing import OneHot
from kagglecxr.data.batches.sequence import PlannedSequence
from kagglecxr.inference.predictions import average
from kagglecxr.models.card import MODELS
from kagglecxr.models.cutting import cut_where_learning_starts
from kagglecxr.training.fold_data import Fitting, FoldData
from kagglecxr.training.kept_features import Features, KeptFeatures
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.stages.stopping import Deadline

AS_IS, MIRRORED = "as_is", "mirrored"
_BATCH = 64


def learns_on_features(recipe: Recipe) -> bool:
    """Whether what learns stands behind layers that give an image the same features every time.

    That is a backbone whose first layers are frozen, where images are mirrored at most.
    """
    random = recipe.augmentation.model_dump(exclude={"where", "mirror"})
    fixed = recipe.augmentation.where == "data" and not any(random.values())
    return fixed and recipe.trainable != "all" and MODELS[recipe.model].kind == "backbone"


def fitting_on_features(
    data: FoldData,
    model: keras.Model,
    recipe: Recipe,
    seed: int,
    reporter: Reporter,
    until: Deadline | None = None,
) -> Fitting:
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
    trunk, learner = cut_where_learning_starts(model)
    name = f"{recipe.model} {recipe.model_options.get('scaling', '')}"
    kept = KeptFeatures(data.prepared.cache, data.rows, trunk, name, reporter, until)
    mirror = recipe.augmentation.mirror
    views = [kept.of(name) for name in ([AS_IS, MIRRORED] if mirror else [AS_IS])]
    held_out, targets = np.flatnonzero(data.held_out), data.held_out_targets()

    def pick(
        features: npt.NDArray[Any], targets: OneHot, random: np.random.Generator
    ) -> tuple[Any, OneHot]:
        mirrored = random.random(len(features)) < mirror
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
    return Fitting(
        learner,
        PlannedSequence(
            _Views(views),  # type: ignore[arg-type]
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
class _Views:
    """Features from several views, as if one array (images, views, 1, values)."""

    views: Sequence[Features]

    def __len__(self) -> int:
        return len(self.views[0])

    def __getitem__(self, rows: npt.NDArray[np.intp]) -> Features:
        taken = np.stack([view[rows] for view in self.views], axis=1)
        return taken[:, :, None]
