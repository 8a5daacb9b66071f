"""Which weights a training ends with: a moving average, or a mean of its best epochs.

Chosen by the validation fold, the best epochs flatter its score a little; the last epoch and the
moving average do not.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kagglecxr.models.weights.hdf5 import save_weights, without_optimizer
from kagglecxr.training.callbacks.resume_checkpoint import ResumeCheckpoint


class MovingAverage(keras.callbacks.SwapEMAWeights):  # type: ignore[misc]
    """Has the moving average of all weights judged and kept, in their place.

    Stands before all callbacks that look at weights. Polyak and Juditsky 1992; Izmailov et al.
    2018, "Averaging weights leads to wider optima and better generalization".
    """

    def __init__(self) -> None:
        super().__init__(swap_on_epoch=True)

    def restored(self) -> None:
        """Says that weights were read which were kept at the end of an epoch."""
        # Where the moving average stands in the model then, and the last weights in its place.
        self._ema_weights_in_model = True


class TopKAverage(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps the weights of the epochs of lowest validation loss in a folder.

    Args:
        folder: where; one file an epoch.
        count: how many epochs.
        resume: knows the losses so far; it is called after this.
    """

    def __init__(self, folder: Path, count: int, resume: ResumeCheckpoint) -> None:
        super().__init__()
        self._folder, self._count, self._resume = folder, count, resume

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keeps this epoch if it is one of the best, and lets go of the one it displaces."""
        losses = [*self._resume.losses, float((logs or {})["val_loss"])]
        first = epoch + 1 - len(losses)
        best = [first + place for place in lowest_indices(losses, self._count)]
        if epoch in best:
            save_weights(self.model, self._file(epoch), optimizer=False)
        for file in self._folder.glob("best-*.weights.h5"):
            if file not in map(self._file, best):
                file.unlink()

    def bring_back(self, model: keras.Model) -> None:
        """Gives a model the mean of what was kept; its own weights stay where nothing was."""
        files = sorted(self._folder.glob("best-*.weights.h5"))
        if files:
            model.set_weights(mean_weights(model, files))

    def _file(self, epoch: int) -> Path:
        return self._folder / f"best-{epoch + 1}.weights.h5"


def lowest_indices(losses: Sequence[float], count: int) -> list[int]:
    """The places of so many lowest losses, the earlier one first where they are equal.

    >>> best_places([0.5, 0.3, 0.4, 0.3], 2)
    [1, 3]
    """
    return sorted(range(len(losses)), key=lambda place: (losses[place], place))[:count]


def mean_weights(model: keras.Model, files: Sequence[Path]) -> list[np.ndarray[Any, Any]]:
    """The means of a model's weights over files that `save_weights` wrote, without its own."""
    bare, own = without_optimizer(model), model.get_weights()
    total: list[Any] = [np.zeros(array.shape, np.float64) for array in own]
    try:
        for file in files:
            bare.load_weights(file)
            total = [one + other for one, other in zip(total, bare.get_weights(), strict=True)]
    finally:
        model.set_weights(own)
    return [(sum_ / len(files)).astype(array.dtype) for sum_, array in zip(total, own, strict=True)]
