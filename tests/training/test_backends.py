"""The whole chain by Keras' other backends, with no TensorFlow to be had."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT_TENSORFLOW = """
from importlib.machinery import PathFinder

find = PathFinder.find_spec

def find_spec(name, path=None, target=None):
    return None if name.partition(".")[0] == "tensorflow" else find(name, path, target)

PathFinder.find_spec = find_spec
"""
RECIPE = ("--model", "cnn_small", "--set", "model_options.width=8", "--set", "epochs=4")


@pytest.fixture(params=["jax", "torch"])
def backend(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed: pip install 'kagglecxr[{name}]'")
    return name


def verb(folder: Path, backend: str, *words: str, check: bool = True) -> str:
    """Runs a verb in a folder without TensorFlow; what it printed."""
    (folder / "sitecustomize.py").write_text(WITHOUT_TENSORFLOW if backend != "tensorflow" else "")
    paths = [str(folder), str(Path.cwd()), os.environ.get("PYTHONPATH", "")]
    env = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": os.pathsep.join(paths)}
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", f"kagglecxr.{words[0]}", *words[1:]],
        cwd=folder, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not check or found.returncode == 0, found.stderr
    return found.stdout + found.stderr


def chain(folder: Path, images: Path, backend: str) -> tuple[dict[str, float], Path]:
    """From images to a scored submission; the scores out of fold, and the run."""
    prepared = ("--data", str(images), "--size", "48", "--folds", "3")
    verb(folder, backend, "prepare", "demo", *prepared)
    verb(folder, backend, "train", "demo", *RECIPE)
    verb(folder, backend, "ensemble", "demo")
    submitted = verb(folder, backend, "submit", "demo", "--local")
    assert "accuracy" in submitted
    [run] = (folder / "work" / "demo" / "runs").glob("cnn_small-*")
    return json.loads((run / "run.json").read_text())["metrics"], run


@pytest.mark.slow
def test_all_verbs_run_without_tensorflow_with_scores_like_its_own(
    demo_images: Path, tmp_path: Path, backend: str
) -> None:
    scores = {}
    for name in (backend, "tensorflow"):
        folder = tmp_path / name
        folder.mkdir()
        scores[name], run = chain(folder, demo_images, name)
        if name == backend:
            exported = folder / "model.keras"
            verb(folder, name, "export", "demo", run.name, "--out", str(exported))
            assert exported.is_file()
            verb(folder, name, "predict", str(exported), str(next(demo_images.rglob("*.png"))))
            verb(folder, name, "explain", "demo", run.name, "--methods", "gradcam")
            for words in (("export", "--format", "tflite"), ("explain", "--style", "tf-explain")):
                first, *rest = words
                refused = verb(folder, name, first, "demo", run.name, *rest, check=False)
                assert "TensorFlow" in refused
                assert "Traceback" not in refused
    difference = abs(scores[backend]["oof_accuracy"] - scores["tensorflow"]["oof_accuracy"])
    assert difference < 0.12
