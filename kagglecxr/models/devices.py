"""All accelerators of one machine for one model: each takes its part of every batch.

Keras' own `keras.distribution` does it on JAX. On TensorFlow Keras takes a distribution and leaves
it unused, and `tf.distribute` does the same work; on PyTorch Keras has no word for several devices.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras

from kagglecxr.models.runtime import list_devices, mirrored_scope


@contextlib.contextmanager
def distribution_scope(
    batch_size: int, note: Callable[[str], None], devices: Sequence[str] | None = None
) -> Iterator[list[keras.callbacks.Callback]]:
    """What is built, compiled and fitted inside learns on all devices at once.

    A batch stays whole: its parts are of one size, and gradients and batch normalisation are those
    of all of it, so that a training gives what it gives on one device, up to the order of sums. On
    TensorFlow dropout differs too: each device draws for its part.

    Args:
        batch_size: of the batches it is fitted on.
        note: told which devices take how many images, where there are several.
        devices: their names in Keras; the accelerators it sees where None.

    Yields:
        Callbacks to stand before all others in `fit`; none where there is one device.
    """
    seen = list_devices() if devices is None else devices
    names = list(seen)[: usable_devices(len(seen), batch_size)]
    backend = keras.backend.backend()
    if len(seen) > 1 and (reason := _reason_for_one(backend, names, batch_size)):
        note(f"One of {len(seen)} devices is used: {reason}")
        names = []
    if len(names) < 2:
        yield []
        return
    note(_describe(len(names), len(seen), batch_size))
    if backend == "tensorflow":
        with mirrored_scope(names):
            yield [_SyncBatchNorm()]
        return
    before = keras.distribution.distribution()
    distribution = keras.distribution.DataParallel(devices=names)
    keras.distribution.set_distribution(distribution)
    try:
        yield [_DistributeTraining(distribution)]
    finally:
        keras.distribution.set_distribution(before)


def usable_devices(devices: int, batch_size: int) -> int:
    """The most devices that a batch can be divided evenly over.

    >>> usable(8, 32), usable(8, 30), usable(2, 7)
    (8, 6, 1)
    """
    return max((n for n in range(1, devices + 1) if batch_size % n == 0), default=0)


def _reason_for_one(backend: str, names: Sequence[str], batch_size: int) -> str:
    if len(names) < 2:
        return f"a batch of {batch_size} images cannot be divided evenly. Use an even batch_size."
    if backend == "tensorflow" and names[0].lower().startswith("tpu"):
        return "Keras reaches several TPU cores on JAX alone. Set KERAS_BACKEND=jax."
    if backend not in ("tensorflow", "jax"):
        return f"Keras has no word for several on {backend}. Set KERAS_BACKEND=jax."
    return ""


def _describe(used: int, seen: int, batch_size: int) -> str:
    left = (
        f" The other {seen - used} have nothing to do: use a batch_size that {seen} divides."
        if used < seen
        else ""
    )
    return (
        f"Each batch of {batch_size} images is shared by {used} devices, {batch_size // used} "
        f"images each.{left} To train a fold on each instead: --cluster local."
    )


class _DistributeTraining(keras.callbacks.Callback):  # type: ignore[misc]
    """Shares out training batches alone: JAX refuses the last, shorter batch of other images.

    What is asked of the model in between, as its validation, each device works out whole.
    """

    def __init__(self, distribution: Any) -> None:
        super().__init__()
        self._distribution = distribution

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        keras.distribution.set_distribution(self._distribution)

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        keras.distribution.set_distribution(None)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        keras.distribution.set_distribution(None)


class _SyncBatchNorm(keras.callbacks.Callback):  # type: ignore[misc]
    """Has batch normalisation look at the whole batch, as on JAX, not at a device's part."""

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
