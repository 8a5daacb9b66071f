"""Training losses of several findings an image, by name.

Targets are (batch, K), 0 to 1, and NaN where a label is not known: such a cell has no part in the
loss, and no gradient. An image's loss is the mean over its known findings.
"""

from collections.abc import Callable, Sequence

import keras
from keras import KerasTensor, ops

from kagglecxr.core.registry import Registry

FINDING_LOSSES = Registry[Callable[..., keras.Loss]]("loss of findings")
"""Functions of (weights, label smoothing, gamma of the focal loss) that make a loss."""

Cells = Callable[[KerasTensor, KerasTensor], KerasTensor]
"""From targets and probabilities (batch, K), neither NaN, to the loss of each cell."""

SURE = 1e-7
"""Probabilities nearer to 0 or 1 count as this far from it."""


class FindingLoss(keras.Loss):  # type: ignore[misc]
    """The mean of a loss over the known cells of each image.

    Args:
        cells: the loss of each cell.
        weights: (K,) of positive cells, so that rare findings count; defaults to 1 each.
        label_smoothing: share of each known label that goes to its opposite, half of it.
    """

    def __init__(
        self, cells: Cells, weights: Sequence[float] | None = None, label_smoothing: float = 0.0
    ) -> None:
        super().__init__(name="finding_loss")
        self._cells, self._weights, self._smoothing = cells, weights, label_smoothing

    def call(self, y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
        """Returns (batch,) losses."""
        known = ops.cast(ops.logical_not(ops.isnan(y_true)), y_pred.dtype)
        # Replaced before it is used: 0 times NaN is NaN, in gradients too.
        truth = ops.where(ops.isnan(y_true), ops.zeros_like(y_true), y_true)
        truth = ops.cast(truth, y_pred.dtype)
        smooth = truth * (1.0 - self._smoothing) + 0.5 * self._smoothing
        losses = self._cells(smooth, ops.clip(y_pred, SURE, 1.0 - SURE)) * known
        if self._weights is not None:
            factors = ops.convert_to_tensor(list(self._weights), y_pred.dtype)
            losses = losses * (1.0 + truth * (factors - 1.0))
        return ops.sum(losses, axis=-1) / ops.maximum(ops.sum(known, axis=-1), 1.0)


@FINDING_LOSSES.add
def cross_entropy(
    weights: Sequence[float] | None = None, label_smoothing: float = 0.0, gamma: float = 2.0
) -> keras.Loss:
    """Binary cross-entropy of each finding."""
    return FindingLoss(_cross_entropy, weights, label_smoothing)


@FINDING_LOSSES.add
def focal(
    weights: Sequence[float] | None = None, label_smoothing: float = 0.0, gamma: float = 2.0
) -> keras.Loss:
    """Focal loss of each finding (Lin et al. 2017, equation 4, without alpha)."""

    def cells(truth: KerasTensor, predicted: KerasTensor) -> KerasTensor:
        wrong = truth * (1.0 - predicted) + (1.0 - truth) * predicted
        return wrong**gamma * _cross_entropy(truth, predicted)

    return FindingLoss(cells, weights, label_smoothing)


@FINDING_LOSSES.add
def asymmetric(
    weights: Sequence[float] | None = None,
    label_smoothing: float = 0.0,
    gamma: float = 2.0,
    *,
    gamma_positive: float = 1.0,
    gamma_negative: float = 4.0,
    margin: float = 0.05,
) -> keras.Loss:
    """Asymmetric loss (Ridnik et al. 2021, equations 4 to 7), with the paper's settings.

    Easy negatives, of which there are most, count less than easy positives; those below the margin
    do not count at all.
    """

    def cells(truth: KerasTensor, predicted: KerasTensor) -> KerasTensor:
        shifted = ops.maximum(predicted - margin, 0.0)
        positive = (1.0 - predicted) ** gamma_positive * ops.log(predicted)
        negative = shifted**gamma_negative * ops.log(1.0 - shifted)
        return -(truth * positive + (1.0 - truth) * negative)

    return FindingLoss(cells, weights, label_smoothing)


def _cross_entropy(truth: KerasTensor, predicted: KerasTensor) -> KerasTensor:
    return -(truth * ops.log(predicted) + (1.0 - truth) * ops.log(1.0 - predicted))


def positive_weights(positives: Sequence[int], known: Sequence[int]) -> list[float]:
    """Returns each finding's weight with which its positives count as much as its negatives.

    That is negatives over positives; 1 for a finding without positives.

    Args:
        positives: (K,) images with each finding.
        known: (K,) images of which it is known.
    """
    pairs = zip(positives, known, strict=True)
    return [(total - number) / number if number else 1.0 for number, total in pairs]
