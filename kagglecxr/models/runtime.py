"""The machine under Keras: devices, determinism, and a start without native chatter."""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator, Sequence


@contextlib.contextmanager
def _native_stderr_to_nowhere() -> Iterator[None]:
    """Silences what C++ libraries print while they load; Python's own stderr is untouched."""
    try:
        kept = os.dup(2)
    except OSError:
        yield
        return
    sys.stderr.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def setup_keras() -> str:
    """Imports Keras quietly and returns its backend's name."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _native_stderr_to_nowhere():
        import keras
    # Each fold builds a new model, and TensorFlow warns of every graph it traces.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    backend: str = keras.backend.backend()
    return backend


def seed_everything(seed: int) -> None:
    """One seed fixes all that follows: weights, dropout, and the order of floating-point sums."""
    backend = setup_keras()
    import keras

    keras.utils.set_random_seed(seed)
    if backend == "tensorflow":
        import tensorflow

        tensorflow.config.experimental.enable_op_determinism()


def list_devices() -> list[str]:
    """The accelerators Keras sees, as "gpu:0"; empty where there is only a CPU, or no word for it.

    On PyTorch Keras has none.
    """
    backend = setup_keras()
    import keras

    if backend == "tensorflow":
        import tensorflow

        # Not Keras' own list: it takes hold of every GPU's memory.
        kinds = ("GPU", "TPU")
        found = [d for kind in kinds for d in tensorflow.config.list_physical_devices(kind)]
        return [device.name.removeprefix("/physical_device:").lower() for device in found]
    if backend != "jax":
        return []
    # Asked for a kind that is not there, JAX raises.
    return [name for name in keras.distribution.list_devices() if not name.startswith("cpu")]


def mirrored_scope(devices: Sequence[str]) -> contextlib.AbstractContextManager[object]:
    """A scope of TensorFlow in which a model is built on several devices at once.

    Args:
        devices: as `list_devices` names them.
    """
    from tensorflow import distribute

    # By default sums are collective operations, which two models of one process mix up: "Shape
    # mismatch in the collective instance".
    sums = distribute.ReductionToOneDevice()
    scope: contextlib.AbstractContextManager[object]
    scope = distribute.MirroredStrategy(list(devices), cross_device_ops=sums).scope()
    return scope
