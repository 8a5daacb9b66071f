"""What Keras has no API for: a quiet import, memory, determinism, accelerators, strategies."""

import contextlib
import ctypes
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any


@contextlib.contextmanager
def _silence_native_stderr() -> Iterator[None]:
    """Silences what C++ libraries print while they load; Python's own stderr is not affected."""
    try:
        kept = os.dup(2)
    except OSError:
        yield
        return
    sys.stderr.flush()
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)


_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8
"""Names of glibc's malloc.h."""


def _keep_freed_memory() -> None:
    """Has glibc keep freed memory for the next allocation; elsewhere nothing is changed.

    By default a block of some ten MB, as the activations of a batch are, goes back to the kernel
    when it is freed, and each of its pages is cleared again for the next step.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        # Other arenas than the first are too small for such blocks, and would map them.
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def setup_keras() -> str:
    """Imports Keras without the backend's log messages and returns the backend's name."""
    _keep_freed_memory()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _silence_native_stderr():
        import keras
    # Each fold builds a new model, and TensorFlow warns of every graph it traces.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    backend: str = keras.backend.backend()
    return backend


def seed_everything(seed: int) -> None:
    """Seeds weights, dropout and shuffling, and makes TensorFlow's sums deterministic."""
    backend = setup_keras()
    import keras

    keras.utils.set_random_seed(seed)
    if backend == "tensorflow":
        import tensorflow

        tensorflow.config.experimental.enable_op_determinism()


def list_devices() -> list[str]:
    """Returns the accelerators that Keras sees, such as "gpu:0"."""
    backend = setup_keras()
    import keras

    if backend == "tensorflow":
        import tensorflow

        # Keras' own list would reserve all memory of every GPU.
        kinds = ("GPU", "TPU")
        found = [d for kind in kinds for d in tensorflow.config.list_physical_devices(kind)]
        return [device.name.removeprefix("/physical_device:").lower() for device in found]
    if backend == "torch":
        import torch

        return [f"gpu:{number}" for number in range(torch.cuda.device_count())]
    # Called with a kind that is absent, JAX raises.
    return [name for name in keras.distribution.list_devices() if not name.startswith("cpu")]


def generated_dataset(batches: Callable[[int], tuple[Any, ...]]) -> Any:
    """Returns a tf.data.Dataset of the batches at positions 0, 1, 2 and so on, not tuned.

    All batches have the shapes of the first but for their number of images.
    """
    import tensorflow

    first = batches(0)
    signature = tensorflow.nest.map_structure(
        lambda array: tensorflow.TensorSpec((None, *array.shape[1:]), array.dtype), first
    )
    dataset = tensorflow.data.Dataset.from_generator(
        lambda: map(batches, count()), output_signature=signature
    )
    options = tensorflow.data.Options()
    options.autotune.enabled = False
    return dataset.prefetch(2).with_options(options)


def compiled_function(model: Any) -> Callable[[Any], Any]:
    """Returns a function from images (batch, H, W, C) to a model's outputs, NumPy arrays.

    On TensorFlow it is traced once for images of any size; `predict_on_batch`, which it is
    elsewhere, is traced again for the second size, number of images and number of channels.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        predict: Callable[[Any], Any] = model.predict_on_batch
        return predict
    import tensorflow

    traced = tensorflow.function(
        lambda images: model(images, training=False),
        input_signature=[tensorflow.TensorSpec(model.input_shape, "float32")],
        autograph=False,
    )
    return lambda images: keras.tree.map_structure(
        keras.ops.convert_to_numpy, traced(images.astype("float32"))
    )


def mirrored_scope(devices: Sequence[str]) -> contextlib.AbstractContextManager[object]:
    """Returns a TensorFlow scope in which a model is built on several devices at once."""
    from tensorflow import distribute

    # The default collective operations mix up two models of one process: "Shape mismatch in the
    # collective instance".
    reduction = distribute.ReductionToOneDevice()
    scope: contextlib.AbstractContextManager[object]
    scope = distribute.MirroredStrategy(list(devices), cross_device_ops=reduction).scope()
    return scope


@contextlib.contextmanager
def quiet_converters() -> Iterator[None]:
    """Silences what Keras and converters log about themselves, which no user can change."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
