"""One network whose weights are the mean of several of its kind."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.core.run_record import WEIGHTS, fold_folder, read_run
from kagglecxr.core.seeding import derive_seed
from kagglecxr.inference.members import rebuild_model
from kagglecxr.inference.tta import resolve_views
from kagglecxr.models.batch_norm import recalibrate_batch_norm
from kagglecxr.models.weights.loading import load_mean_weights, load_weights
from kagglecxr.training.fold_data import FoldData
from kagglecxr.training.run_spec import RunSpec
from kagglecxr.training.task import Outputs

_NONE = -1
"""The number of no fold."""


class AveragedFold:
    """A model with the mean weights of the same fold of several runs.

    Batch statistics that the runs have learned, which shows in their differing, are recalibrated on
    the other folds' images: the spread of a mean net's features is not the mean of the spreads.

    Attributes:
        soup: the run that the mean becomes.
        model: of the first run, with the weights of the fold that was predicted last.
    """

    def __init__(self, soup: RunSpec, runs: Sequence[Path]) -> None:
        self.soup, self._runs = soup, runs
        self.model = rebuild_model(read_run(runs[0]))
        self._learned: dict[int, list[str]] = {}

    def predict(self, runs: Sequence[Path], fold: int) -> dict[str, Outputs]:
        """What the mean of one fold predicts for the images held out there, from each view."""
        if fold not in self._learned:
            self._learned[fold] = learned_statistics(self.model, _files(self._runs, fold))
        data = FoldData(self.soup.task, self.soup.fold_of, fold)
        self._load(_files(runs, fold), self._learned[fold], data, fold)
        rows, views = data.rows[data.held_out], resolve_views(self.soup.recipe.views)
        return {view: self.soup.task.predict(self.model, rows, [view]) for view in views}

    def load_all_folds(self, run: Path) -> None:
        """Gives the model the mean weights of all folds of one run; no image is held out then."""
        paths = [fold_folder(run, fold) / WEIGHTS for fold in range(self.soup.folds)]
        data = FoldData(self.soup.task, self.soup.fold_of, _NONE)
        self._load(paths, learned_statistics(self.model, paths), data, _NONE)

    def _load(
        self, paths: Sequence[Path], learned: Sequence[str], data: FoldData, fold: int
    ) -> None:
        load_mean_weights(self.model, paths)
        for layer in _norms(self.model):
            layer.trainable = layer.name in learned
        if learned:
            seed = derive_seed(self.soup.seed, "fold", fold)
            recalibrate_batch_norm(self.model, data.plain_images(self.soup.recipe, seed))


def learned_statistics(model: keras.Model, paths: Sequence[Path]) -> list[str]:
    """The names of the layers whose batch statistics differ between weights files of a model."""
    read = []
    for path in paths:
        load_weights(model, path)
        read.append([_statistics(layer) for layer in _norms(model)])
    return [
        layer.name
        for layer, parts in zip(_norms(model), zip(*read, strict=True), strict=True)
        if any(not np.array_equal(parts[0], part) for part in parts[1:])
    ]


def _files(runs: Sequence[Path], fold: int) -> list[Path]:
    return [fold_folder(run, fold) / WEIGHTS for run in runs]


def _norms(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    return [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]


def _statistics(layer: keras.layers.BatchNormalization) -> npt.NDArray[np.float32]:
    both = (layer.moving_mean, layer.moving_variance)
    return np.stack([keras.ops.convert_to_numpy(variable) for variable in both])
