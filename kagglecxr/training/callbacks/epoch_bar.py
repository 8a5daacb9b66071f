"""What is seen of a training while it runs, and afterwards in TensorBoard."""

from pathlib import Path
from typing import Any

import keras

from kagglecxr.core.progress import Bar

_TOLD = ("loss", "accuracy")


class EpochBar(keras.callbacks.Callback):  # type: ignore[misc]
    """Moves a bar batch by batch and says how the last epoch went: training/validation.

    Args:
        bar: counts batches.
        title: stands before them.
        epochs: of all stages.
    """

    def __init__(self, bar: Bar, title: str, epochs: int) -> None:
        super().__init__()
        self._bar, self._title, self._epochs, self._told = bar, title, epochs, ""

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Says which epoch it is."""
        self._bar.describe(f"{self._title}, epoch {epoch + 1}/{self._epochs}{self._told}")

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Counts a batch."""
        self._bar.advance()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keeps what the next epoch's line says, in few words: the terminal is narrow."""
        logs = logs or {}
        told = (
            f"{name} " + "/".join(f"{logs[k]:.2f}" for k in (name, f"val_{name}") if k in logs)
            for name in _TOLD
        )
        self._told = f": {', '.join(told)}"
        self._bar.describe(f"{self._title}, epoch {epoch + 1}/{self._epochs}{self._told}")


def tensorboard(folder: Path) -> list[keras.callbacks.Callback]:
    """Writes losses and scores of each epoch for TensorBoard.

    Run `tensorboard --logdir work/COMPETITION/runs` to see all folds of all runs in one plot.

    Args:
        folder: the fold's.
    """
    return [
        keras.callbacks.TensorBoard(
            str(folder / "tensorboard"), write_graph=False, update_freq="epoch", profile_batch=0
        )
    ]
