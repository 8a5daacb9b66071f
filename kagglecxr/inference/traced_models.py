"""Models that predict again and again: built and traced once for each architecture."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.core.files import digest
from kagglecxr.inference.members import Member, rebuild_model
from kagglecxr.models.feature_maps import add_pooled_features
from kagglecxr.models.frozen_trunk import split_frozen_trunk

Pixels = npt.NDArray[np.uint8]

KEPT_PARAMETERS = 2**27
"""Models are kept for other folds while all of them have no more parameters, which is 512 MiB."""


@dataclass
class _TracedModel:
    """A model, what was made of it, and the run and fold of its weights."""

    model: keras.Model
    made: Any
    weights: tuple[Path, int] | None = None


class TracedModels:
    """Models that a `Predictor` has built: one for each architecture, whatever its weights.

    Building a model and tracing its graph takes as long as predicting some hundred images, so a
    model is kept for other folds, other runs of its architecture, and the next call. With pooled
    features a model has more outputs, see `add_pooled_features`.
    """

    def __init__(self) -> None:
        self._kept: dict[str, _TracedModel] = {}

    def whole(self, member: Member, fold: int, *, pooled: bool = False) -> Callable[[Pixels], Any]:
        """Returns the function of a batch that the model of a fold is, until the next call."""
        function: Callable[[Pixels], Any]
        function = self._load(member, fold, "all", lambda model: model.predict_on_batch, pooled)
        return function

    def split(
        self, member: Member, fold: int, *, pooled: bool = False
    ) -> tuple[keras.Model, keras.Model]:
        """Returns a fold's frozen trunk and what learned on its features, until the next call."""
        parts: tuple[keras.Model, keras.Model]
        trainable = member.record.recipe["trainable"]
        parts = self._load(member, fold, trainable, split_frozen_trunk, pooled)
        return parts

    def _load(
        self,
        member: Member,
        fold: int,
        trainable: str,
        make: Callable[[keras.Model], Any],
        pooled: bool,
    ) -> Any:
        record = member.record
        options = record.recipe["model_options"]
        shape = (record.input_shape, len(record.targets))
        key = digest(record.model, shape, options, trainable, pooled)
        traced = self._kept.pop(key, None)
        if traced is None:
            model = rebuild_model(record, trainable)
            source = add_pooled_features(model) if pooled else model
            traced = _TracedModel(model, make(source))
        # Put last: the first is the one that has not been used for the longest time.
        self._kept[key] = traced
        while len(self._kept) > 1 and self._parameters() > KEPT_PARAMETERS:
            del self._kept[next(iter(self._kept))]
        if traced.weights != (member.run, fold):
            traced.weights = None
            member.load_fold(traced.model, fold)
            traced.weights = (member.run, fold)
        return traced.made

    def _parameters(self) -> int:
        return sum(traced.model.count_params() for traced in self._kept.values())
