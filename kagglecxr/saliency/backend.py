"""Gradients with respect to what a function is given, which Keras has no word for."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


def value_and_gradient(function: Callable[[Any], Any], at: Array) -> tuple[Array, Array]:
    """Returns a function's values and the gradient of each with respect to its own input.

    Args:
        function: from a tensor (batch, ...) to one value an item, (batch,), where no item has an
            influence on the value of another.
        at: the input.

    Returns:
        The values (batch,), and the gradient in the form of the input.
    """
    values, (gradient,) = pull_back(function, [at], np.ones_like)
    return values, gradient


def pull_back(
    function: Callable[..., Any], inputs: Sequence[Array], weigh: Callable[[Array], Array]
) -> tuple[Array, list[Array]]:
    """Returns what a function gives, and the gradients of its weighted sum.

    Args:
        function: from as many tensors as there are inputs to one tensor.
        inputs: where the gradients are taken.
        weigh: makes the weights of the sum, which count as constants, of what the function gives.

    Returns:
        The function's tensor, and a gradient in the form of each input.
    """
    return _BACKENDS[keras.backend.backend()](function, inputs, weigh)


def _by_tensorflow(
    function: Callable[..., Any], inputs: Sequence[Array], weigh: Callable[[Array], Array]
) -> tuple[Array, list[Array]]:
    import tensorflow

    tensors = [tensorflow.convert_to_tensor(each) for each in inputs]
    with tensorflow.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(tensors)
        values = function(*tensors)
    found = values.numpy()
    gradients = tape.gradient(values, tensors, output_gradients=weigh(found))
    return found, [tensorflow.convert_to_tensor(each).numpy() for each in gradients]


def _by_torch(
    function: Callable[..., Any], inputs: Sequence[Array], weigh: Callable[[Array], Array]
) -> tuple[Array, list[Array]]:
    import torch

    tensors = [keras.ops.convert_to_tensor(each).requires_grad_() for each in inputs]
    values = function(*tensors)
    found = keras.ops.convert_to_numpy(values)
    weights = keras.ops.convert_to_tensor(weigh(found))
    gradients = torch.autograd.grad(values, tensors, grad_outputs=weights)
    return found, [keras.ops.convert_to_numpy(each) for each in gradients]


def _by_jax(
    function: Callable[..., Any], inputs: Sequence[Array], weigh: Callable[[Array], Array]
) -> tuple[Array, list[Array]]:
    import jax

    values, pull = jax.vjp(function, *(jax.numpy.asarray(each) for each in inputs))
    found = np.asarray(values)
    return found, [np.asarray(each) for each in pull(jax.numpy.asarray(weigh(found)))]


_BACKENDS = {"tensorflow": _by_tensorflow, "torch": _by_torch, "jax": _by_jax}
