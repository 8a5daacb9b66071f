"""What made report 2's third freezing collapse: MobileNetV2 and three dense layers, 70/30, Adam.

Trains each freezing with each choice of batch normalisation, and says after the last epoch how well
the model does on the images it learned from and on the others: with the statistics it predicts
with, and with statistics measured anew.

Run: python -m benchmarks.batch_norm path/to/cxr4 path/to/weights [scaling ...]
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from kagglecxr.core.progress import Silent
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import load_competition
from kagglecxr.data.prepare import PrepareOptions, prepare_competition
from kagglecxr.models import create_model
from kagglecxr.models.batch_norm import recalibrate_batch_norm
from kagglecxr.models.runtime import seed_everything

NAME, SIZE, BATCH, EPOCHS, SEEDS = "mobilenet_v2_035", 128, 32, 10, (0, 1)
FREEZINGS = ("head", "last_conv", "last_2_conv", "all")
# The report took Keras' own: 0.999 in MobileNetV2.
CHOICES: tuple[float | str, ...] = (0.999, 0.9, "frozen")

Pixels = npt.NDArray[np.uint8]
Targets = npt.NDArray[np.float32]


def main() -> None:
    """Prints one line a training."""
    images, weights, *scalings = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        train, held_out = _sides(images, Path(folder))
    print("scaling, learning, batch norm, seed: accuracy and loss of train | held out | anew")
    for scaling in scalings or ("zero_to_one", "minus_one_to_one"):
        for trainable in FREEZINGS:
            for choice in CHOICES:
                for seed in SEEDS:
                    seed_everything(seed)
                    model = create_model(
                        NAME,
                        num_classes=train[1].shape[1],
                        input_shape=(SIZE, SIZE, 1),
                        weights=weights,
                        trainable=trainable,
                        batch_norm=choice,
                        scaling=scaling,
                        dense=(1024, 512),
                        dropout=0.0,
                    )
                    scores = _train(model, train, held_out, seed)
                    print(f"{scaling}, {trainable}, {choice}, {seed}: {scores}", flush=True)
                    keras.utils.clear_session()


def _sides(images: str, work: Path) -> list[tuple[Pixels, Targets]]:
    """Images and targets of 70 % to learn from and of the 30 % held out, stratified."""
    request = PrepareOptions(None, SIZE, "gray | resize", 0.0, 5, skip_broken=False, seed=0)
    prepared = prepare_competition(
        load_competition(images), Workspace.of("cxr", work), request, Silent()
    )
    targets = prepared.target_ids()
    rows = train_test_split(
        np.arange(len(targets)), test_size=0.3, stratify=targets, random_state=0
    )
    one_hot = np.eye(targets.max() + 1, dtype=np.float32)[targets]
    return [(prepared.cache.images[side][..., None], one_hot[side]) for side in rows]


def _train(
    model: keras.Model, train: tuple[Pixels, Targets], held_out: tuple[Pixels, Targets], seed: int
) -> str:
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    model.fit(*train, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    scores = [_score(model, train), _score(model, held_out)]
    recalibrate_batch_norm(model, _shuffled(train[0], seed))
    return " | ".join([*scores, _score(model, held_out)])


def _score(model: keras.Model, side: tuple[Pixels, Targets]) -> str:
    loss, accuracy = model.evaluate(*side, batch_size=64, verbose=0)
    return f"{accuracy:.3f} {loss:.2f}"


def _shuffled(images: Pixels, seed: int) -> Iterator[npt.NDArray[Any]]:
    order = np.random.default_rng(seed).permutation(len(images))
    for start in range(0, len(order) - BATCH + 1, BATCH):
        yield images[order[start : start + BATCH]].astype(np.float32)


if __name__ == "__main__":
    main()
