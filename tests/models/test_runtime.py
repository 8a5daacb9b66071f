"""Keras starts quietly and repeats itself under one seed."""

import platform
import subprocess
import sys

import keras
import numpy as np
import pytest

from kagglecxr.models import create_model
from kagglecxr.models.runtime import compiled_function, list_devices, seed_everything

STARTS_KERAS = """
import resource
from kagglecxr.models.runtime import setup_keras
print(setup_keras())
bytearray(48 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    bytearray(48 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.fixture(scope="module")
def started() -> subprocess.CompletedProcess[str]:
    """A process that started Keras, and told its name and the pages of ten blocks of memory."""
    words = [sys.executable, "-c", STARTS_KERAS]
    return subprocess.run(words, capture_output=True, text=True, check=True)


def test_starting_keras_prints_nothing(started: subprocess.CompletedProcess[str]) -> None:
    backend, _ = started.stdout.splitlines()
    assert backend == "tensorflow"
    assert started.stderr == ""


def test_one_seed_gives_one_model() -> None:
    def weights() -> list[np.ndarray]:
        seed_everything(7)
        model = create_model("cnn_small", num_classes=2, input_shape=(32, 32, 1))
        return list(model.get_weights())

    for one, other in zip(weights(), weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_images_of_any_size_and_number_are_predicted_by_one_trace() -> None:
    traced = []

    class Traced(keras.layers.Layer):
        def call(self, images: keras.KerasTensor) -> keras.KerasTensor:
            traced.append(images.shape)
            return keras.ops.mean(images, axis=(1, 2, 3))

    inputs = keras.Input((None, None, None))
    predict = compiled_function(keras.Model(inputs, Traced()(inputs)))
    traced.clear()
    for shape in [(1, 4, 4, 1), (1, 5, 7, 1), (3, 5, 7, 1), (1, 6, 6, 3)]:
        images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        np.testing.assert_allclose(predict(images), images.mean(axis=(1, 2, 3)), rtol=1e-6)
    assert len(traced) == 1


def test_devices_are_accelerators_only() -> None:
    assert not any("CPU" in name.upper() for name in list_devices())


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator is set")
def test_large_blocks_are_used_again_without_asking_the_kernel(
    started: subprocess.CompletedProcess[str],
) -> None:
    # Ten blocks have 122,880 pages of 4 KiB.
    assert int(started.stdout.splitlines()[1]) < 1000
