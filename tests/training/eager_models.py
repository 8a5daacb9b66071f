"""Training without graphs: where a test makes a few steps, to trace one takes longer than these."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager

import keras
import pytest


@contextmanager
def eagerly() -> Iterator[None]:
    """Whatever is compiled or predicts inside runs operation by operation."""
    compile_eagerly = functools.partialmethod(keras.Model.compile, run_eagerly=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Model, "compile", compile_eagerly)
        patch.setattr(keras.Model, "run_eagerly", property(lambda _: True, lambda *_: None))
        yield
