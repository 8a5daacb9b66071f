"""Averages weights over a training: an exponential moving average, or the mean of the best epochs.

The best epochs are chosen by the validation fold, which flatters its score a little; the last epoch
and the moving average do not.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from kagglecxr.models.weights.hdf5 import save_weights
from kagglecxr.models.weights.loading import load_mean_weights
from kagglecxr.training.callbacks.resume_checkpoint import ResumeCheckpoint


class MovingAverage(keras.callbacks.SwapEMAWeights):  # type: ignore[misc]
    """Validates and saves the exponential moving average of all weights in their place.

    Stands before all callbacks that read weights. Polyak and Juditsky 1992; Izmailov et al. 2018,
    "Averaging weights leads to wider optima and better generalization".
    """

    def __init__(self) -> None:
        super().__init__(swap_on_epoch=True)

    def weights_restored(self) -> None:
        """Must be called after weights were loaded that were saved at the end of an epoch."""
        # The model then holds the moving average, and the optimizer the last weights.
        self._ema_weights_in_model = True


class TopKAverage(keras.callbacks.Callback):  # type: ignore[misc]
    """Saves the weights of the `count` epochs of lowest validation loss, for their mean.

    The checkpoint, which holds the losses so far, is called after this.
    """

    def __init__(self, folder: Path, count: int, checkpoint: ResumeCheckpoint) -> None:
        super().__init__()
        self._folder, self._count, self._checkpoint = folder, count, checkpoint

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Saves this epoch if it is one of the best, and removes the one that it displaces."""
        losses = [*self._checkpoint.losses, float((logs or {})["val_loss"])]
        first = epoch + 1 - len(losses)
        best = [first + number for number in lowest_indices(losses, self._count)]
        if epoch in best:
            save_weights(self.model, self._file(epoch), optimizer=False)
        for file in self._folder.glob("best-*.weights.h5"):
            if file not in map(self._file, best):
                file.unlink()

    def restore(self, model: keras.Model) -> None:
        """Sets a model's weights to the mean of the saved ones; leaves them where none were."""
        files = sorted(self._folder.glob("best-*.weights.h5"))
        if files:
            load_mean_weights(model, files)

    def _file(self, epoch: int) -> Path:
        return self._folder / f"best-{epoch + 1}.weights.h5"


def lowest_indices(losses: Sequence[float], count: int) -> list[int]:
    """The indices of the lowest losses, the earlier one first where they are equal.

    >>> lowest_indices([0.5, 0.3, 0.4, 0.3], 2)
    [1, 3]
    """
    return sorted(range(len(losses)), key=lambda index: (losses[index], index))[:count]
