"""Keeps a training so that it can be taken up after its last whole epoch."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import read_json, write_json
from kagglecxr.models.weights.hdf5 import save_weights

EpochLog = dict[str, float]
"""One line of a training's history."""


class ResumeCheckpoint(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps weights, optimiser state and history of the last whole epoch in a folder.

    Args:
        folder: where; two files, of which the JSON is written last and names the other.
        clock: seconds, for the history's `seconds` column.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.perf_counter) -> None:
        super().__init__()
        self._folder, self._clock = folder, clock
        self.history: list[EpochLog] = []
        self._began = 0.0

    @property
    def losses(self) -> list[float]:
        """The validation losses of the epochs so far."""
        return [line["val_loss"] for line in self.history]

    @property
    def _state(self) -> Path:
        return self._folder / "resume.json"

    def restore(self, model: keras.Model) -> int:
        """Brings a freshly compiled model to the last whole epoch; the number of epochs done.

        Raises:
            DataError: the kept state is damaged.
        """
        if not self._state.is_file():
            return 0
        state = read_json(self._state)
        model.optimizer.build(model.trainable_variables)
        try:
            model.load_weights(self._folder / state["weights"])
        except (OSError, ValueError, KeyError) as error:
            raise DataError(
                f"An interrupted training cannot be taken up. Received: {self._folder} ({error}). "
                "Remove that folder and run the same command again."
            ) from error
        for variable, value in zip(_dropout_states(model), state["dropout"], strict=True):
            variable.assign(value)
        self.history = state["history"]
        return len(self.history)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Starts the epoch's clock."""
        self._began = self._clock()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keeps the state of this epoch and lets go of the one before."""
        seconds = round(self._clock() - self._began, 3)
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
    """Where each dropout stands in its stream of chance, which Keras leaves out of its files."""
    return [v for v in model.non_trainable_variables if v.name == "seed_generator_state"]
