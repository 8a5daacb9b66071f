"""Linear classifiers on the features of frozen networks, for `frozen_levers`."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from benchmarks.leaving_out import left_out
from kagglecxr.core.errors import DataError
from kagglecxr.core.files import digest
from kagglecxr.core.progress import Silent
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import load_competition
from kagglecxr.data.folds import make_folds
from kagglecxr.data.images.pipeline import DEFAULT_PIPELINE, Pipeline
from kagglecxr.data.prepare import PrepareOptions, prepare_competition
from kagglecxr.data.prepared import PreparedData, load_prepared
from kagglecxr.models.batch_norm import recalibrate_batch_norm
from kagglecxr.models.model_card import MODELS
from kagglecxr.models.weights.sources import find_weights
from kagglecxr.segmentation.mask_training import find_mask_run
from kagglecxr.segmentation.segment_competition import segment_competition
from kagglecxr.training.features.frozen_features import frozen_features
from kagglecxr.training.features.linear_head import fit_dense_layer
from kagglecxr.training.fold_data import FoldData
from kagglecxr.training.recipe import LinearClassifier, Recipe, load_recipe
from kagglecxr.training.stage import build_model, precision_policy
from kagglecxr.training.tasks import make_task
from kagglecxr.training.time_plan import FEATURES, in_fastest_precision

FOLDS, SIZE, BATCH = 5, 224, 64
RECIPES = {load_recipe(name).model: name for name in FEATURES}
MATCHED, REMEASURED = "matched", "remeasured"


@dataclass(frozen=True)
class FrozenLever:
    """How predictions are made.

    Attributes:
        pipelines: of the images; the classifiers of all are averaged.
        change: `MATCHED` for images with the mean histogram of those that are learned from,
            `REMEASURED` for statistics of batch normalisation measured on the X-rays.
        networks: those whose classifiers are averaged; all where empty.
        joined: whether one classifier has the features of all networks, in place of the mean.
        settings: of the classifiers.
        changes: of the networks' recipes, as key=value.
    """

    pipelines: tuple[str, ...] = (DEFAULT_PIPELINE,)
    change: str = ""
    networks: tuple[str, ...] = ()
    joined: bool = False
    settings: LinearClassifier = field(default_factory=LinearClassifier)
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Experiment:
    """A competition's images, which of them are left out, and the networks that see them."""

    images: str
    name: str
    weights: str
    work: Path
    networks: tuple[str, ...]
    without: str

    def prepared(self, pipeline: str) -> PreparedData:
        """The images under a pipeline, all of them to be learned from."""
        competition = load_competition(self.name)
        key = "".join(c if c.isalnum() else "-" for c in pipeline)
        workspace = Workspace(self.work / key, competition.name)
        if workspace.prepared.is_file():
            return load_prepared(competition, workspace)
        if Pipeline.parse(pipeline, SIZE).needs_mask:
            plain = self.prepared(DEFAULT_PIPELINE)
            base = Workspace(plain.cache.folder.parents[1], competition.name)
            shutil.copytree(masks_of_one_net(plain, base), workspace.masks, dirs_exist_ok=True)
        images = None if competition.folder else Path(self.images)
        options = PrepareOptions(images, SIZE, pipeline, 0.0, FOLDS, skip_broken=False, seed=0)
        return prepare_competition(competition, workspace, options, Silent())

    def away(self, prepared: PreparedData) -> npt.NDArray[np.bool_]:
        """(images,) bool, which of them nothing is learned from."""
        if not self.without:
            return np.zeros(len(prepared.fold), bool)
        column, _, text = self.without.partition("=")
        return left_out(prepared, column, text)

    def features(self, network: str, pipeline: str, lever: FrozenLever) -> npt.NDArray[np.float32]:
        """(images, values) under a network, computed once."""
        recipe, without = self.recipe(network, lever.changes), lever.change and self.without
        name = digest(recipe.model_dump(), pipeline, lever.change, without)[:12]
        path = self.work / f"features-{name}.npy"
        if not path.is_file():
            prepared = self.prepared(pipeline)
            np.save(path, _features(prepared, recipe, lever.change, self.away(prepared)))
        found: npt.NDArray[np.float32] = np.load(path)
        return found

    def recipe(self, network: str, changes: Sequence[str]) -> Recipe:
        """The recipe of a network's features."""
        recipe = load_recipe(RECIPES[network], [f"weights={self.weights}", *changes])
        return in_fastest_precision(recipe)

    def predicted(self, lever: FrozenLever, draw: int) -> npt.NDArray[np.float64]:
        """(images, targets): out of fold, and of those that are left out the mean of all folds."""
        networks = lever.networks or self.networks
        sets = [
            [self.features(network, pipeline, lever) for network in networks]
            for pipeline in lever.pipelines
        ]
        groups = [[np.hstack(each)] if lever.joined else each for each in sets]
        flat = [features for group in groups for features in group]
        predicted = [self._out_of_fold(each, lever.settings, draw) for each in flat]
        return np.asarray(np.mean(predicted, axis=0), np.float64)

    def _out_of_fold(
        self, features: npt.NDArray[np.float32], settings: LinearClassifier, draw: int
    ) -> npt.NDArray[np.float64]:
        prepared = self.prepared(DEFAULT_PIPELINE)
        content = sha256(features.tobytes()).hexdigest()
        name = digest(content, self.without, settings.model_dump(), draw)[:12]
        path = self.work / f"predicted-{name}.npy"
        if path.is_file():
            kept: npt.NDArray[np.float64] = np.load(path)
            return kept
        away, fold = self.away(prepared), draw_folds(prepared, draw)
        targets = np.nan_to_num(prepared.findings())
        found = np.zeros(targets.shape)
        for number in range(FOLDS):
            learned, judged = (fold != number) & ~away, (fold == number) | away
            kernel, constants = fit_dense_layer(
                features[learned], targets[learned], settings, balanced=True, multilabel=False
            )
            share = np.where(away[judged], 1 / FOLDS, 1.0)[:, None]
            found[judged] += share * softmax(features[judged] @ kernel + constants, axis=1)
        np.save(path, found)
        return found


def masks_of_one_net(prepared: PreparedData, workspace: Workspace) -> Path:
    """The folder of the packaged net's masks of all images: whose a mask is tells the source."""
    if not (workspace.masks / "masks.csv").is_file():
        run = find_mask_run(workspace, None, Silent())
        segment_competition(prepared, workspace, run, Silent(), replace_given=True)
    return workspace.masks


def draw_folds(prepared: PreparedData, draw: int) -> npt.NDArray[np.intp]:
    """The fold of each image in a draw."""
    rows = prepared.index.rows("train")
    labels, groups, sources = (
        prepared.index.column(name, rows) for name in ("label", "group", "source")
    )
    return make_folds(labels, groups, sources, FOLDS, draw)


def _features(
    prepared: PreparedData, recipe: Recipe, change: str, away: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float32]:
    task = make_task(prepared)
    images = prepared.cache.images[prepared.index.rows("train")]
    if change == MATCHED:
        images = with_mean_histogram(images, ~away)
    file = find_weights(MODELS[recipe.model], str(recipe.weights))
    found: list[tuple[npt.NDArray[np.bool_], npt.NDArray[np.float32]]] = []
    # Statistics of images that are left out are measured on these by themselves.
    parts = [away, ~away] if change == REMEASURED else [np.ones(len(images), bool)]
    for part in (each for each in parts if each.any()):
        with precision_policy(recipe.precision):
            model = build_model(task, recipe, [file])
            if change == REMEASURED:
                _measure_again(model, images[part])
            frozen = frozen_features(FoldData(task, prepared.fold, 0), model, recipe, Silent())
        trunk = frozen.cache.trunk
        batches = [
            np.hstack([np.asarray(t, np.float32) for t in keras.tree.flatten(answer)])
            for answer in map(trunk.predict_on_batch, _batches(images[part]))
        ]
        values = frozen.as_input(np.concatenate(batches))
        found.append((part, values))
    together = np.zeros((len(images), found[0][1].shape[1]), np.float32)
    for part, values in found:
        together[part] = values
    return together


def _batches(images: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.float32]]:
    deep = images if images.ndim == 4 else images[..., None]
    return [deep[n : n + BATCH].astype(np.float32) for n in range(0, len(deep), BATCH)]


def _measure_again(model: keras.Model, images: npt.NDArray[np.uint8]) -> None:
    norms = [each for each in model.layers if isinstance(each, keras.layers.BatchNormalization)]
    for layer in norms:
        layer.trainable = True
    mixed = images[np.random.default_rng(0).permutation(len(images))[: 10 * BATCH]]
    recalibrate_batch_norm(model, map(keras.ops.convert_to_tensor, _batches(mixed)))
    for layer in norms:
        layer.trainable = False


def with_mean_histogram(
    images: npt.NDArray[np.uint8], learned: npt.NDArray[np.bool_]
) -> npt.NDArray[np.uint8]:
    """Images (images, H, W), each with the mean of the sorted grey values of those learned from."""
    if images.ndim != 3:
        raise DataError(f"Grey images are matched. Received: {images.shape}. Use gray.")
    shares = np.linspace(0.0, 1.0, 257)
    mean = np.mean([np.quantile(image, shares) for image in images[learned]], axis=0)
    matched = np.empty_like(images)
    for image, out in zip(images, matched, strict=True):
        counts = np.bincount(image.ravel(), minlength=256)
        middle = (np.cumsum(counts) - counts / 2) / image.size
        out[:] = np.rint(np.interp(middle, shares, mean)).astype(np.uint8)[image]
    return matched
