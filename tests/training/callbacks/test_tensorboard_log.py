"""What TensorBoard reads of a training."""

from pathlib import Path

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

from kagglecxr.training.callbacks.tensorboard_log import TensorBoardLog


def logged(folder: Path) -> dict[str, list[float]]:
    events = EventAccumulator(str(folder)).Reload()
    return {
        tag: [float(tensor_util.make_ndarray(e.tensor_proto)) for e in events.Tensors(tag)]
        for tag in events.Tags()["tensors"]
    }


def test_tensorboard_reads_the_losses_and_the_rate_of_every_epoch(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.25), "mse")
    x, y = np.ones((4, 2), np.float32), np.zeros((4, 1), np.float32)
    log = TensorBoardLog(tmp_path)
    history = model.fit(x, y, validation_data=(x, y), epochs=2, verbose=0, callbacks=[log]).history
    train, validation = logged(tmp_path / "train"), logged(tmp_path / "validation")
    assert train["epoch_loss"] == pytest.approx(history["loss"])
    assert train["epoch_learning_rate"] == [0.25, 0.25]
    assert validation == {"epoch_loss": pytest.approx(history["val_loss"])}


def test_an_epoch_is_on_the_disk_before_the_next_one(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.5), "mse")
    log = TensorBoardLog(tmp_path)
    log.set_model(model)
    log.on_epoch_end(0, {"loss": 2.0, "val_loss": 3.0})
    assert logged(tmp_path / "train") == {"epoch_loss": [2.0], "epoch_learning_rate": [0.5]}
    assert logged(tmp_path / "validation") == {"epoch_loss": [3.0]}
    log.on_train_end()


def test_a_training_that_goes_on_logs_beside_what_was_logged(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    x = np.ones((2, 1), np.float32)
    for first in (0, 1):
        log = TensorBoardLog(tmp_path)
        model.fit(x, x, epochs=first + 1, initial_epoch=first, verbose=0, callbacks=[log])
    assert len(logged(tmp_path / "train")["epoch_loss"]) == 2
