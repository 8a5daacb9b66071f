"""Data parallelism over all accelerators of one machine.

On JAX `keras.distribution` does it. On TensorFlow Keras ignores a distribution, so `tf.distribute`
is used. On PyTorch Keras supports one device only.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras

from kagglecxr.models.runtime import list_devices, mirrored_scope


@contextlib.contextmanager
def distribution_scope(
    batch_size: int, note: Callable[[str], None]
) -> Iterator[list[keras.callbacks.Callback]]:
    """Distributes what is built, compiled and fitted in the scope over all devices.

    The devices get equal parts of a batch. Gradients and batch statistics are those of the whole
    batch, so that training gives the same as on one device up to the order of sums. On TensorFlow
    dropout differs too, as each device draws its own.

    `note` is called with a message that says which devices take how many images, if several do.

    Yields:
        Callbacks that must come first in `fit`; empty with one device.
    """
    devices = list_devices()
    used = devices[: usable_devices(len(devices), batch_size)]
    backend = keras.backend.backend()
    if len(devices) > 1 and (reason := _reason_for_one(backend, used, batch_size)):
        note(f"One of {len(devices)} devices is used: {reason}")
        used = []
    if len(used) < 2:
        yield []
        return
    note(_describe(len(used), len(devices), batch_size))
    if backend == "tensorflow":
        with mirrored_scope(used):
            yield [_SyncBatchNorm()]
        return
    before = keras.distribution.distribution()
    distribution = keras.distribution.DataParallel(devices=used)
    keras.distribution.set_distribution(distribution)
    try:
        yield [_distribute_training(distribution)]
    finally:
        keras.distribution.set_distribution(before)


def has_fast_bfloat16() -> bool:
    """Whether this processor multiplies matrices of bfloat16, as Intel's from 2023 on do.

    Only Linux says so; elsewhere it is not known, and False.
    """
    try:
        return "amx_bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False


def usable_devices(devices: int, batch_size: int) -> int:
    """Returns the largest number of devices that divides a batch evenly.

    >>> usable_devices(8, 32), usable_devices(8, 30), usable_devices(2, 7)
    (8, 6, 1)
    """
    return max((n for n in range(1, devices + 1) if batch_size % n == 0), default=0)


def _reason_for_one(backend: str, names: Sequence[str], batch_size: int) -> str:
    if len(names) < 2:
        return f"a batch of {batch_size} images cannot be divided evenly. Use an even batch_size."
    if backend == "tensorflow" and names[0].lower().startswith("tpu"):
        return "Keras supports several TPU cores on JAX only. Set KERAS_BACKEND=jax."
    if backend not in ("tensorflow", "jax"):
        return f"Keras supports only one on {backend}. Set KERAS_BACKEND=jax."
    return ""


def _describe(used: int, devices: int, batch_size: int) -> str:
    idle = (
        f" The other {devices - used} are idle: use a batch_size that {devices} divides."
        if used < devices
        else ""
    )
    return (
        f"Each batch of {batch_size} images is shared by {used} devices, {batch_size // used} "
        f"images each.{idle} To train a fold on each instead: --cluster local."
    )


def _distribute_training(distribution: Any) -> keras.callbacks.Callback:
    """Distributes training batches only, since JAX rejects the shorter last batch of validation.

    Validation and predictions between epochs run whole on each device.
    """

    def switch(to: Any) -> Callable[..., None]:
        return lambda *_: keras.distribution.set_distribution(to)

    return keras.callbacks.LambdaCallback(
        on_epoch_begin=switch(distribution), on_test_begin=switch(None), on_epoch_end=switch(None)
    )


class _SyncBatchNorm(keras.callbacks.Callback):  # type: ignore[misc]
    """Computes batch statistics over the whole batch, as on JAX, not over a device's part."""

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._set(True)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._set(False)

    def _set(self, synchronized: bool) -> None:
        for layer in _each_layer(self.model):
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = synchronized


def _each_layer(model: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from _each_layer(layer)
