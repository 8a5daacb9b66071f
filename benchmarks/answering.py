"""What the one file of an ensemble costs beyond its networks: a warm answer against bare passes.

Run: python -m benchmarks.answering
"""

import tempfile
from pathlib import Path

import keras
import numpy as np

from benchmarks.timing import in_turn, seconds
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.inference.export.end_to_end import RunModels, end_to_end_model
from kagglecxr.inference.export.file_formats import FORMATS
from kagglecxr.inference.tta import DEFAULT_VIEWS
from kagglecxr.models.runtime import seed_everything, setup_keras
from kagglecxr.models.zoo import create_model

SIZE, FOLDS, CLASSES, TURNS = 192, 5, 4, 25
RAW = [(299, 299), (1024, 1024)]
"""The Radiography Database's images, and larger ones."""


def folds() -> list[keras.Model]:
    """Untrained networks: their weights do not change their speed."""
    models = []
    for fold in range(FOLDS):
        seed_everything(fold)
        model = create_model("mobilenet", num_classes=CLASSES, input_shape=(SIZE, SIZE, 1))
        models.append(keras.Model(model.input, model.output, name=f"fold-{fold}"))
    return models


def main() -> None:
    """Prints milliseconds of both and their ratio, and what the first answer of each size takes."""
    setup_keras()
    models = folds()
    classes = [str(number) for number in range(CLASSES)]
    steps = Pipeline.parse("gray | resize", SIZE).steps
    whole = end_to_end_model(steps, [RunModels(models, DEFAULT_VIEWS)], classes, "untrained")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "whole.keras"
        FORMATS["keras"].save(whole, path)
        predict = FORMATS["keras"].load(path).predict
    random = np.random.default_rng(0)
    small = random.integers(0, 256, (1, SIZE, SIZE, 1)).astype(np.float32)
    views = [small, small[:, :, ::-1]]

    def passes() -> None:
        for model in models:
            for view in views:
                model.predict_on_batch(view)

    for height, width in RAW:
        raw = random.integers(0, 256, (1, height, width, 1)).astype(np.float32)
        first = seconds(lambda raw=raw: predict(raw))
        pair = in_turn(lambda raw=raw: predict(raw), passes, TURNS)
        print(
            f"{height} x {width} px, {FOLDS} folds, {len(views)} views: an answer "
            f"{1e3 * pair.ours:.0f} ms (the first {first:.1f} s), bare {1e3 * pair.other:.0f} ms, "
            f"ratio {1 / pair.ratio:.2f} (wanted: at most 1.3)"
        )


if __name__ == "__main__":
    main()
