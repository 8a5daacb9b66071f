"""Keras starts quietly and repeats itself under one seed."""

import platform
import subprocess
import sys

import numpy as np
import pytest

from kagglecxr.models import create_model
from kagglecxr.models.runtime import list_devices, seed_everything


def test_starting_keras_prints_nothing() -> None:
    code = "from kagglecxr.models.runtime import setup_keras; print(setup_keras())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "tensorflow\n"
    assert done.stderr == ""


def test_one_seed_gives_one_model() -> None:
    def weights() -> list[np.ndarray]:
        seed_everything(7)
        model = create_model("cnn_small", num_classes=2, input_shape=(32, 32, 1))
        return list(model.get_weights())

    for one, other in zip(weights(), weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_devices_are_accelerators_only() -> None:
    assert not any("CPU" in name.upper() for name in list_devices())


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator is set")
def test_large_blocks_are_used_again_without_asking_the_kernel() -> None:
    code = """
import resource
from kagglecxr.models.runtime import setup_keras
setup_keras()
bytearray(48 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    bytearray(48 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # Ten blocks have 122,880 pages of 4 KiB.
    assert int(done.stdout) < 1000
