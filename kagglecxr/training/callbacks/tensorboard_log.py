"""Logs the epochs of a training for TensorBoard."""

from pathlib import Path
from typing import Any

import keras
from tensorboard.summary import Writer


class TensorBoardLog(keras.callbacks.Callback):  # type: ignore[misc]
    """Logs each epoch's losses, metrics and rate, of training and validation as two runs.

    The names are those of `keras.callbacks.TensorBoard`, which needs TensorFlow on every backend.

    Args:
        folder: gets a folder for each of the two.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._writers: dict[str, Writer] = {}

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Logs an epoch, which is on the disk afterwards."""
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        for name, value in {**(logs or {}), "learning_rate": rate}.items():
            run = "validation" if name.startswith("val_") else "train"
            if run not in self._writers:
                self._writers[run] = Writer(str(self._folder / run))
            self._writers[run].add_scalar(f"epoch_{name.removeprefix('val_')}", value, epoch)
        for writer in self._writers.values():
            writer.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Closes the files."""
        for writer in self._writers.values():
            writer.close()
        self._writers = {}
