"""Importing the kit makes its layers known to Keras, whichever of the two is imported first."""

import os
import subprocess
import sys

import pytest

ASK = "print(*sorted(keras.saving.get_custom_objects()))"
ALL = (
    "import pkgutil, importlib, keras, kagglecxr;"
    "[importlib.import_module(m.name) for m in pkgutil.walk_packages(kagglecxr.__path__,"
    " 'kagglecxr.') if '__main__' not in m.name];"
)
ORDERS = [
    "import kagglecxr, keras;",
    "import keras, kagglecxr;",
    "import kagglecxr.models.layers.channels, keras;",
]


def told(code: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", code + ASK],
        capture_output=True, text=True, check=False,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout.split()


@pytest.fixture(scope="module")
def everything() -> list[str]:
    """What is registered when every module of the kit has been imported."""
    return told(ALL)


@pytest.mark.slow
@pytest.mark.parametrize("order", ORDERS)
def test_all_layers_of_the_kit_are_known(order: str, everything: list[str]) -> None:
    assert "kagglecxr>SquareResizing" in everything
    assert told(order) == everything
