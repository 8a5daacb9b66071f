"""Saves the state of a training after each epoch, so that an interrupted one resumes."""

import time
from pathlib import Path
from typing import Any

import keras

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import read_json, write_json
from kagglecxr.models.weights.hdf5 import save_weights

EpochLog = dict[str, float]
"""One line of a training's history."""


class ResumeCheckpoint(keras.callbacks.Callback):  # type: ignore[misc]
    """Saves weights, optimizer state, dropout state and history after each epoch.

    Args:
        folder: where; two files, of which the JSON is written last and names the other.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder, self._state = folder, folder / "resume.json"
        self.history: list[EpochLog] = []
        self._epoch_start = 0.0

    @property
    def losses(self) -> list[float]:
        """The validation losses of the epochs so far."""
        return [line["val_loss"] for line in self.history]

    def restore(self, model: keras.Model) -> int:
        """Restores a freshly compiled model to the end of the last saved epoch.

        Returns:
            The number of epochs done.

        Raises:
            DataError: the saved state is damaged.
        """
        if not self._state.is_file():
            return 0
        state = read_json(self._state)
        try:
            model.load_weights(self._folder / state["weights"])
        except (OSError, ValueError, KeyError) as error:
            raise DataError(
                f"An interrupted training cannot be resumed. Received: {self._folder} ({error}). "
                "Remove that folder and run the same command again."
            ) from error
        for variable, value in zip(_dropout_states(model), state["dropout"], strict=True):
            variable.assign(value)
        self.history = state["history"]
        return len(self.history)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Starts the epoch's clock."""
        self._epoch_start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Saves the state after this epoch and removes the one before."""
        seconds = round(time.perf_counter() - self._epoch_start, 3)
        line = {name: float(value) for name, value in (logs or {}).items()}
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        self.history = [
            *self.history,
            {"epoch": epoch + 1, **line, "learning_rate": rate, "seconds": seconds},
        ]
        weights = self._folder / f"resume-{epoch + 1}.weights.h5"
        save_weights(self.model, weights)
        dropout = [keras.ops.convert_to_numpy(v).tolist() for v in _dropout_states(self.model)]
        state = {"weights": weights.name, "dropout": dropout, "history": self.history}
        write_json(self._state, state)
        for old in self._folder.glob("resume-*.weights.h5"):
            if old != weights:
                old.unlink()


def _dropout_states(model: keras.Model) -> list[keras.Variable]:
    """The random states of dropout layers, which Keras leaves out of its weights files."""
    return [v for v in model.non_trainable_variables if v.name == "seed_generator_state"]
