"""How much longer a `Predictor` takes than the bare forward passes of the same models.

The Predictor reads a cache on disk, loads the weights of each fold and flips the images; the bare
passes have compiled, warm models and all batches in memory.

Run: python -m benchmarks.predicting [MODEL PIXELS]
"""

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import keras
import numpy as np
import numpy.typing as npt

from benchmarks.timing import Pair, in_turn
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import WEIGHTS, RunRecord, fold_folder
from kagglecxr.data.cache.cache import build_cache
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.data.phantoms import draw_phantom
from kagglecxr.inference.members import Member, make_member, rebuild_model
from kagglecxr.inference.predictor import Predictor
from kagglecxr.inference.tta import VIEWS
from kagglecxr.inference.view_passes import BATCH_SIZE
from kagglecxr.models.weights.hdf5 import save_weights

IMAGES, SIDE, FOLDS, RUNS, TURNS = 581, 299, 5, 3, 2
MODELS = (("cnn_small", 128), ("mobilenet", 192))
TARGETS = ["COVID", "Lung_Opacity", "Normal", "Viral Pneumonia"]
HFLIP = ("identity", "hflip")


def make_cache(folder: Path, pixels: int) -> npt.NDArray[np.uint8]:
    """Returns decoded images."""
    root = folder / "files"
    root.mkdir(parents=True)
    paths = [f"{number}.png" for number in range(IMAGES)]
    drawn = [draw_phantom(TARGETS[k % 4], k, 0, seed=0, size=SIDE).image for k in range(12)]
    for number, path in enumerate(paths):
        shifted = np.roll(drawn[number % 12], number // 12, axis=number % 2)
        cv2.imwrite(str(root / path), shifted)
    pipeline = Pipeline.parse("gray | resize", pixels)
    return np.asarray(build_cache(folder / "cache", root, paths, pipeline, Silent()).images[:])


def make_run(folder: Path, model: str, pixels: int, seed: int) -> Member:
    """Writes a run with random weights."""
    record = RunRecord(
        name=folder.name, competition="benchmark", model=model,
        recipe={"model_options": {}, "trainable": "all", "views": list(HFLIP)}, seed=seed,
        folds=FOLDS, targets=TARGETS, input_shape=(pixels, pixels, 1), data={}, parameters={},
        megabytes=0.0, versions={}, machine={}, seconds=[], metrics={}, pipeline="gray | resize",
    )  # fmt: skip
    record.write(folder)
    for fold in range(FOLDS):
        keras.utils.set_random_seed(10 * seed + fold)
        save_weights(rebuild_model(record), fold_folder(folder, fold) / WEIGHTS)
    return make_member(folder, record)


def bare_passes(member: Member, images: npt.NDArray[np.uint8]) -> Callable[[], None]:
    """Returns what only runs the models of a run on batches that are in memory."""
    models = [member.load_model(fold) for fold in member.folds]
    views = [VIEWS[name].array(np.array(images)[..., None]) for name in member.views]
    batches = [
        np.ascontiguousarray(view[start : start + BATCH_SIZE])
        for view in views
        for start in range(0, len(images), BATCH_SIZE)
    ]

    def run() -> None:
        for model in models:
            for batch in batches:
                model.predict_on_batch(batch)

    return run


def tell(what: str, pair: Pair, of: str) -> None:
    """Prints one comparison."""
    print(
        f"{what}: {pair.ours:.2f} s, {of}: {pair.other:.2f} s, ratio {1 / pair.ratio:.3f} "
        "(wanted: at most 1.15)",
        flush=True,
    )


def measure(model: str, pixels: int) -> None:
    """Prints what folds, views and runs cost for one model."""
    with tempfile.TemporaryDirectory() as folder:
        images = make_cache(Path(folder), pixels)
        members = [make_run(Path(folder, f"run-{k}"), model, pixels, k) for k in range(RUNS)]
        what = f"{model} at {pixels} px, {FOLDS} folds x hflip, {IMAGES} images"
        bare, again = bare_passes(members[0], images), Predictor(members[:1])
        of = "bare passes"
        tell(f"{what}, used again", in_turn(lambda: again.predict(images), bare, TURNS), of)
        pair = in_turn(lambda: Predictor(members[:1]).predict(images), bare, TURNS)
        tell(f"{what}, for the first time", pair, of)

        def each_run() -> None:
            for member in members:
                Predictor([member]).predict(images)

        pair = in_turn(lambda: Predictor(members).predict(images), each_run, TURNS)
        tell(f"{what}, {RUNS} runs together", pair, "one after the other")


def main(arguments: Sequence[str]) -> None:
    """Measures the models."""
    chosen = [(arguments[0], int(arguments[1]))] if arguments else MODELS
    for model, pixels in chosen:
        measure(model, pixels)


if __name__ == "__main__":
    main(sys.argv[1:])
