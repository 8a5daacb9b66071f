"""Trains the head of a frozen backbone on features that are worked out once and kept.

One pass through the backbone serves every epoch, every fold, and every recipe that differs in its
head alone; mirroring is a second pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from filelock import FileLock

from kagglecxr.core.files import assert_room, digest, written_whole
from kagglecxr.core.progress import Reporter
from kagglecxr.data.batches.mixing import OneHot
from kagglecxr.data.batches.sequence import OrderedSequence, PlannedSequence
from kagglecxr.inference.predictions import average
from kagglecxr.inference.views import VIEWS
from kagglecxr.models.card import MODELS
from kagglecxr.models.freezing import HEAD
from kagglecxr.training.fold_data import Fitting, FoldData
from kagglecxr.training.recipe import Recipe

Features = npt.NDArray[np.float32]
AS_IS, MIRRORED = "as_is", "mirrored"
_BATCH = 64


def learns_on_features(recipe: Recipe) -> bool:
    """Whether what learns stands behind layers that give an image the same features every time.

    That is the kit's head on a frozen backbone, where images are mirrored at most.
    """
    random = recipe.augmentation.model_dump(exclude={"where", "mirror"})
    fixed = recipe.augmentation.where == "data" and not any(random.values())
    return fixed and recipe.trainable == HEAD and MODELS[recipe.model].kind == "backbone"


def fitting_on_features(
    data: FoldData, model: keras.Model, recipe: Recipe, seed: int, reporter: Reporter
) -> Fitting:
    """A model's head on the features of its backbone.

    The head's layers are the model's own: once it has learned, so has the model.

    Args:
        data: of the fold.
        model: the whole, its backbone frozen.
        recipe: how to train.
        seed: of the fold.
        reporter: told of every batch of images on its way to features.
    """
    trunk, head = _halves(model)
    kept = _Kept(data, trunk, recipe, reporter)
    mirror = recipe.augmentation.mirror
    views = [kept.features(name) for name in ([AS_IS, MIRRORED] if mirror else [AS_IS])]
    held_out = np.flatnonzero(data.held_out)

    def pick(
        features: npt.NDArray[Any], targets: OneHot, random: np.random.Generator
    ) -> tuple[npt.NDArray[Any], OneHot]:
        mirrored = random.random(len(features)) < mirror
        chosen = features[np.arange(len(features)), mirrored.astype(np.intp)]
        return chosen.reshape(len(features), *trunk.output_shape[1:]), targets

    def answers(names: Sequence[str]) -> npt.NDArray[np.float32]:
        seen = [kept.features(name)[held_out] for name in names]
        return average([head.predict(features, batch_size=_BATCH, verbose=0) for features in seen])

    return Fitting(
        head,
        PlannedSequence(
            _Views(views),  # type: ignore[arg-type]
            data.plan(recipe, seed),
            transform=pick,
            rows=np.flatnonzero(~data.held_out),
            steps=recipe.steps,
        ),
        (views[0][held_out], data.held_out_targets()),
        None,
        answers,
    )


def _halves(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """What gives the same features every time, and what is left of a model."""
    pool = model.get_layer("pool")
    # Pooling that learns belongs to what is left.
    between = pool.input if pool.weights else pool.output
    return keras.Model(model.input, between), keras.Model(between, model.output)


class _Views:
    """Features from several views, as if one array (images, views, 1, values)."""

    def __init__(self, views: Sequence[Features]) -> None:
        self._views = views

    def __len__(self) -> int:
        return len(self._views[0])

    def __getitem__(self, rows: npt.NDArray[np.intp]) -> Features:
        taken = np.stack([view[rows] for view in self._views], axis=1)
        return taken.reshape(len(rows), len(self._views), 1, -1)


@dataclass(frozen=True)
class _Kept:
    """The features of all training images, in a folder beside the cache's images."""

    data: FoldData
    trunk: keras.Model
    recipe: Recipe
    reporter: Reporter

    def features(self, view: str) -> Features:
        """One view's, (training images, ...) float32; read where they are, else worked out."""
        path = self._path(view)
        if not path.is_file():
            path.parent.mkdir(exist_ok=True)
            # Trainings that run at once wait for the first of them, and for no dead one.
            with FileLock(path.with_suffix(".lock")):
                if not path.is_file():
                    self._write(path, view)
        kept: Features = np.load(path, mmap_mode="r")
        return kept

    def _path(self, view: str) -> Path:
        weights = sha256()
        for array in self.trunk.get_weights():
            weights.update(array.tobytes())
        name = digest(
            self.recipe.model,
            self.recipe.model_options.get("scaling", ""),
            list(self.trunk.output_shape[1:]),
            self.data.rows.tolist(),
            weights.hexdigest(),
            view,
        )
        return self.data.prepared.cache.folder / "features" / f"{name[:16]}.npy"

    def _write(self, path: Path, view: str) -> None:
        images, rows = self.data.prepared.cache.images, self.data.rows
        shape = (len(rows), *self.trunk.output_shape[1:])
        assert_room(path.parent, 4 * int(np.prod(shape)))
        batches = OrderedSequence(images, rows, _BATCH, view=VIEWS[view])
        with (
            written_whole(path) as beside,
            self.reporter.bar(f"Features of {self.recipe.model}, {view}", len(batches)) as bar,
        ):
            kept = np.lib.format.open_memmap(beside, "w+", np.float32, shape)
            for number in range(len(batches)):
                found = self.trunk.predict_on_batch(batches[number][0])
                kept[number * _BATCH : number * _BATCH + len(found)] = found
                bar.advance()
            kept.flush()
