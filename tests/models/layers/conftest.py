"""What tests of layers share."""

from collections.abc import Iterator

import keras
import pytest


@pytest.fixture
def free_to_compile() -> Iterator[None]:
    """Lets Keras compile a model, whatever trained in this process before.

    Training asks TensorFlow for repeatable operations, with which Keras compiles none.
    """
    if keras.backend.backend() != "tensorflow":
        yield
        return
    from tensorflow.python.framework import config

    was_repeatable = config.is_op_determinism_enabled()
    config.disable_op_determinism()
    yield
    if was_repeatable:
        config.enable_op_determinism()
