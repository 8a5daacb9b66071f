"""Ends a training before its last epoch: no improvement, or no more time."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from kagglecxr.core.deadline import Deadline
from kagglecxr.training.callbacks.resume_checkpoint import ResumeCheckpoint


class TimeLimit(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends a training in mid-epoch while there is still time to validate and to predict.

    To predict an image takes no longer than to train on one, so the time still needed is known
    from the second batch on.

    Args:
        deadline: of the fold.
        predictions: images to be predicted after the last batch, each view counted.
        batch_size: of the training batches.
    """

    def __init__(self, deadline: Deadline, predictions: int, batch_size: int) -> None:
        super().__init__()
        self._deadline = deadline
        self._batches_to_come = predictions / batch_size
        self._began, self._batches = 0.0, 0
        self.is_over = False

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Ends the training where the time left is only just enough."""
        left = self._deadline.left()
        if not self._batches:
            # The first batch takes long, since it is when the graph is made.
            self._began = left
        seconds_a_batch = (self._began - left) / max(self._batches, 1)
        self._batches += 1
        if left <= seconds_a_batch * (self._batches_to_come + 1):
            self.is_over = self.model.stop_training = True

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Starts anew, so that validation is not counted as training."""
        self._batches = 0


class EarlyStopping(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends a stage after `patience` epochs without a lower validation loss; never where None.

    The checkpoint, which holds the losses, also those before an interruption, is called before.
    """

    def __init__(self, patience: int | None, checkpoint: ResumeCheckpoint) -> None:
        super().__init__()
        self._patience, self._checkpoint = patience, checkpoint

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Ends the training once no loss was lower for too many epochs."""
        if has_stopped_improving(self._checkpoint.losses, self._patience):
            self.model.stop_training = True


def has_stopped_improving(losses: Sequence[float], patience: int | None) -> bool:
    """Whether the lowest validation loss lies at least `patience` epochs back.

    >>> losses = [0.5, 0.4, 0.6, 0.5]
    >>> has_stopped_improving(losses, 2), has_stopped_improving(losses, 3)
    (True, False)
    """
    if patience is None or not losses:
        return False
    return len(losses) - 1 - int(np.argmin(losses)) >= patience
