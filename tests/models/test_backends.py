"""The zoo's own nets build, train a step and predict on Keras' other backends, where these are."""

import importlib.util
import os
import subprocess
import sys

import pytest

from kagglecxr.models import list_models
from kagglecxr.models.model_card import MODELS

OWN = [name for name in list_models() if MODELS[name].kind != "backbone"]

PROGRAM = """
import sys
import keras
import numpy as np
from kagglecxr.models import create_model
from kagglecxr.models.batch_norm import recalibrate_batch_norm
from kagglecxr.models.model_card import MODELS
from kagglecxr.models.losses import make_loss

for name in sys.argv[1:]:
    card = MODELS[name]
    size = max(card.smallest, 32)
    shape = (size, size, card.channels)
    model = create_model(name, num_classes=card.classes, input_shape=shape)
    images = np.random.default_rng(0).integers(0, 256, (2, *shape)).astype(np.float32)
    targets = np.random.default_rng(1).random((2, *model.output.shape[1:])).astype(np.float32)
    model.compile(keras.optimizers.SGD(1e-4), make_loss("focal", model.output.shape[-1]))
    before = model.get_weights()
    model.fit(images, targets, verbose=0)
    recalibrate_batch_norm(model, [images])
    changed = any(not np.array_equal(a, b) for a, b in zip(before, model.get_weights()))
    predictions = model.predict(images, verbose=0)
    whole = np.isfinite(predictions).all() and ((predictions >= 0) & (predictions <= 1)).all()
    print(name, keras.backend.backend(), changed and bool(whole), flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_own_nets_train_and_predict(backend: str) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: pip install 'kagglecxr[{backend}]'")
    output = subprocess.run(
        [sys.executable, "-c", PROGRAM, *OWN],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert output.stdout.splitlines() == [f"{name} {backend} True" for name in OWN], output.stderr
