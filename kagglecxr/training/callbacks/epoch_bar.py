"""A bar of the batches of a stage, with the last epoch's figures."""

from collections.abc import Sequence
from typing import Any

import keras

from kagglecxr.core.progress import Bar


class EpochBar(keras.callbacks.Callback):  # type: ignore[misc]
    """Moves a bar batch by batch and shows the last epoch's metrics: training/validation."""

    def __init__(self, bar: Bar, title: str, epochs: int, metrics: Sequence[str]) -> None:
        super().__init__()
        self._bar, self._title, self._epochs = bar, title, epochs
        self._metrics, self._figures = metrics, ""

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Shows the number of the epoch."""
        self._bar.describe(f"{self._title}, epoch {epoch + 1}/{self._epochs}{self._figures}")

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Counts a batch."""
        self._bar.advance()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Shows the epoch's figures, in few words: the terminal is narrow."""
        logs = logs or {}
        figures = (
            f"{name} " + "/".join(f"{logs[k]:.2f}" for k in (name, f"val_{name}") if k in logs)
            for name in self._metrics
        )
        self._figures = f": {', '.join(figures)}"
        self.on_epoch_begin(epoch)
