"""What Keras has no API for: a quiet import, determinism, accelerators, TensorFlow's strategy."""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator, Sequence


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


def setup_keras() -> str:
    """Imports Keras without the backend's log messages and returns the backend's name."""
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
    """Returns the accelerators that Keras sees, such as "gpu:0"; empty on PyTorch."""
    backend = setup_keras()
    import keras

    if backend == "tensorflow":
        import tensorflow

        # Keras' own list would reserve all memory of every GPU.
        kinds = ("GPU", "TPU")
        found = [d for kind in kinds for d in tensorflow.config.list_physical_devices(kind)]
        return [device.name.removeprefix("/physical_device:").lower() for device in found]
    if backend != "jax":
        return []
    # Called with a kind that is absent, JAX raises.
    return [name for name in keras.distribution.list_devices() if not name.startswith("cpu")]


def mirrored_scope(devices: Sequence[str]) -> contextlib.AbstractContextManager[object]:
    """Returns a TensorFlow scope in which a model is built on several devices at once."""
    from tensorflow import distribute

    # The default collective operations mix up two models of one process: "Shape mismatch in the
    # collective instance".
    reduction = distribute.ReductionToOneDevice()
    scope: contextlib.AbstractContextManager[object]
    scope = distribute.MirroredStrategy(list(devices), cross_device_ops=reduction).scope()
    return scope
