"""Several devices learn together what one learns alone."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kagglecxr.models.devices import _describe, _reason_for_one, distribution_scope, usable_devices

PROGRAM = """
import sys
from pathlib import Path

from kagglecxr.models.runtime import setup_keras

backend = setup_keras()
if backend == "tensorflow":
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

import keras
import numpy as np

from kagglecxr.data.sequences.sequence import BalancedSequence, OrderedSequence
from kagglecxr.models import create_model, devices as devices_module
from kagglecxr.models.batch_norm import recalibrate_batch_norm
from kagglecxr.models.devices import distribution_scope
from kagglecxr.models.runtime import seed_everything

# TensorFlow's sums over two devices drift apart by and by; each device's own batch normalisation
# would be 20 times farther off after one epoch.
EPOCHS = 1 if backend == "tensorflow" else 3
images = np.random.default_rng(0).integers(0, 256, (90, 32, 32, 1)).astype(np.uint8)
labels = np.arange(90) % 3
rows = np.arange(77)
targets = np.eye(3, dtype=np.float32)[labels[rows]]


class Looks(keras.callbacks.Callback):
    "As a search's callback, asks for predictions while the model learns."

    def on_epoch_end(self, epoch, logs=None):
        assert self.model.predict(OrderedSequence(images, rows, 64), verbose=0).shape == (77, 3)


def learned(devices):
    keras.utils.clear_session()
    seed_everything(0)
    notes = []
    devices_module.list_devices = lambda: devices
    with distribution_scope(32, notes.append) as callbacks:
        model = create_model(
            "cnn_small", num_classes=3, input_shape=(32, 32, 1), width=4,
            dropout=0.2 if backend == "jax" else 0.0,
        )
        model.compile(keras.optimizers.SGD(1e-2), "categorical_crossentropy", metrics=["accuracy"])
        history = model.fit(
            BalancedSequence(images, labels, 32),
            validation_data=OrderedSequence(images, rows, 64, targets=targets),
            epochs=EPOCHS, shuffle=False, verbose=0, callbacks=[*callbacks, Looks()],
        ).history
    predictions = model.predict(OrderedSequence(images, rows, 64), verbose=0)
    weights = model.get_weights()
    recalibrate_batch_norm(model, [images[:13].astype(np.float32)])
    normal = [l for l in model.layers if isinstance(l, keras.layers.BatchNormalization)]
    assert normal and not any(layer.synchronized for layer in normal)
    return weights, predictions, history["val_loss"], notes


alone, together = learned([]), learned(["cpu:0", "cpu:1"])
assert not alone[3] and "2 devices, 16 images each" in together[3][0], together[3]
for one, other in zip(alone[0], together[0], strict=True):
    np.testing.assert_allclose(one, other, atol=5e-4)
np.testing.assert_allclose(alone[1], together[1], atol=5e-4)
np.testing.assert_allclose(alone[2], together[2], atol=5e-4)
farthest = max(np.abs(a - b).max() for a, b in zip(alone[0], together[0]))
assert farthest > 0, "both were trained on one device"
print(backend, farthest)
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_two_devices_learn_what_one_does(backend: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: pip install 'kagglecxr[{backend}]'")
    flags = "--xla_force_host_platform_device_count=2"
    output = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "KERAS_BACKEND": backend, "XLA_FLAGS": flags},
        capture_output=True,
        text=True,
        check=False,
    )
    assert output.stdout.startswith(backend), output.stderr


@given(st.integers(1, 16), st.integers(1, 256))
def test_as_many_devices_as_divide_a_batch(devices: int, batch_size: int) -> None:
    used = usable_devices(devices, batch_size)
    assert 1 <= used <= devices
    assert batch_size % used == 0
    assert not any(batch_size % more == 0 for more in range(used + 1, devices + 1))


@pytest.mark.parametrize(
    ("batch_size", "devices", "words"),
    [
        (7, ["gpu:0", "gpu:1"], "One of 2 devices is used: a batch of 7 images"),
        (32, ["gpu:0"], ""),
        (32, [], ""),
    ],
)
def test_where_one_device_is_used_it_is_said(
    batch_size: int, devices: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[str] = []
    monkeypatch.setattr("kagglecxr.models.devices.list_devices", lambda: devices)
    with distribution_scope(batch_size, notes.append) as callbacks:
        assert callbacks == []
    assert (words in notes[0]) if words else not notes


@pytest.mark.parametrize(
    ("backend", "device"), [("tensorflow", "tpu:0"), ("torch", "gpu:0"), ("jax", "")]
)
def test_backends_that_cannot_share_batches_name_the_one_that_can(
    backend: str, device: str
) -> None:
    message = _reason_for_one(backend, [device, device], 32)
    assert message.endswith("KERAS_BACKEND=jax.") == (backend != "jax")


def test_devices_that_are_left_over_are_counted() -> None:
    assert _describe(6, 8, 30).startswith(
        "Each batch of 30 images is shared by 6 devices, 5 images"
    )
    assert "other 2" in _describe(6, 8, 30)
    assert "other" not in _describe(8, 8, 32)
