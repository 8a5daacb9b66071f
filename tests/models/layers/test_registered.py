"""Importing `kagglecxr.models.layers` registers every layer of the package with Keras."""

import inspect
import re
from pathlib import Path

import keras

import kagglecxr
from kagglecxr.models import layers

REGISTERED = "@keras.saving.register_keras_serializable"


def test_every_layer_is_exported_by_the_package() -> None:
    package = Path(kagglecxr.__file__).parent
    texts = {path: path.read_text(encoding="utf-8") for path in package.rglob("*.py")}
    declared = {
        name
        for text in texts.values()
        for name in re.findall(rf"^{re.escape(REGISTERED)}.*\nclass (\w+)", text, re.MULTILINE)
    }
    exported = {name for name, entry in vars(layers).items() if inspect.isclass(entry)}
    assert declared == exported
    assert sum(text.count(REGISTERED) for text in texts.values()) == len(declared)


def test_every_exported_layer_is_registered() -> None:
    for name, entry in vars(layers).items():
        if inspect.isclass(entry):
            assert keras.saving.get_registered_object(f"kagglecxr>{name}") is entry
