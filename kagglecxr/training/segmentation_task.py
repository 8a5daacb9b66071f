"""Segmentation: the mask of the lungs is learned, one probability a pixel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.core.mask_metrics import MASK_METRICS, count_overlap
from kagglecxr.core.metrics import Metric
from kagglecxr.data.images.image_array import ImageArray
from kagglecxr.data.masked import MaskedData
from kagglecxr.data.samplers.epoch_sampler import EpochSampler
from kagglecxr.data.samplers.progressive import linear_rate
from kagglecxr.data.samplers.sampling import make_sampler
from kagglecxr.data.sequences.augmentation import augment_with_masks
from kagglecxr.data.sequences.sequence import Transform
from kagglecxr.inference.mask_predictor import predict_masks
from kagglecxr.models.losses import MASK_LOSSES
from kagglecxr.training.held_out_masks import INSIDE, SCORE, HeldOutMasks, concatenate_masks
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.task import Outputs, Part, Task

LUNGS = "lungs"
"""The name of the only output."""


@dataclass(frozen=True)
class MaskTargets:
    """Masks read as they are needed: (rows, H, W, 1) float32, 0 to 1."""

    masks: ImageArray
    rows: npt.NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, items: Any) -> npt.NDArray[np.float32]:
        masks: npt.NDArray[np.float32] = self.masks[self.rows[items]].astype(np.float32)
        return masks[..., None] / np.float32(255)


@dataclass(frozen=True)
class SegmentationTask(Task):
    """Each pixel is of the lungs or not: a sigmoid unit a pixel, images and masks moved alike."""

    prepared: MaskedData

    @property
    def output_names(self) -> list[str]:
        """The lungs."""
        return [LUNGS]

    @property
    def metric(self) -> Metric:
        """The mean over the images of the intersection over union."""
        return Metric(SCORE, _mean_iou)

    def epoch_metrics(self) -> list[keras.Metric]:
        """Of all pixels together: IoU of the lungs, accuracy, precision, recall."""
        return [
            keras.metrics.BinaryIoU(target_class_ids=[1], name=SCORE),
            keras.metrics.BinaryAccuracy(name="accuracy"),
            keras.metrics.Precision(name="precision"),
            keras.metrics.Recall(name="recall"),
        ]

    def loss(self, recipe: Recipe) -> keras.Loss:
        """The recipe's, of masks."""
        return MASK_LOSSES[recipe.loss]()

    def targets(self, part: Part) -> MaskTargets:
        """(images, H, W, 1), 1 in the lungs."""
        return MaskTargets(self.prepared.masks, self.prepared.index.rows("train")[part])

    def sampler(self, part: Part, recipe: Recipe, seed: int) -> EpochSampler:
        """The recipe's sampling of those classes that have masks; pools are of classifiers."""
        _, present = np.unique(self.prepared.class_ids()[part], return_inverse=True)
        rate = linear_rate(*recipe.balance, recipe.epochs)
        return make_sampler(recipe.sampling, present, None, recipe.batch_size, seed, rate)

    def augmentation(self, recipe: Recipe) -> Transform:
        """Moves each mask as its image."""
        return lambda images, masks, random: augment_with_masks(
            images, masks, random, recipe.augmentation
        )

    def predict(
        self, model: keras.Model, rows: npt.NDArray[np.intp], views: Sequence[str]
    ) -> Outputs:
        """(images, H, W) probabilities."""
        return predict_masks(model.predict_on_batch, self.prepared.cache.images, rows, views=views)

    def held_out(self, part: Part, by_view: Mapping[str, Outputs]) -> HeldOutMasks:
        """The masks from each view, with the true ones."""
        index = self.prepared.index
        rows = index.rows("train")[part]
        ids = np.array(index.column("id", rows))
        views = {view: np.rint(255 * maps).astype(np.uint8) for view, maps in by_view.items()}
        return HeldOutMasks(ids, self.prepared.masks[rows], views)

    def load_held_out(self, paths: Sequence[Path]) -> HeldOutMasks:
        """Reads files of `HeldOutMasks`."""
        return concatenate_masks([HeldOutMasks.load(path) for path in paths])


def _mean_iou(truth: npt.NDArray[Any], probabilities: npt.NDArray[Any]) -> float:
    counts = count_overlap(probabilities >= INSIDE / 255, truth > 0)
    return float(MASK_METRICS[SCORE](counts).mean())
