"""How long an epoch of the recipe `gpu` takes on Keras' backend, and how long its device waits.

Run: KERAS_BACKEND=torch python -m benchmarks.backends [SIDE ...] [key=value ...]

Images are drawn; weights are random, which takes as long as trained ones. The device waits for the
share of time by which an epoch of one batch, over and over, is shorter. On PyTorch the same network
of timm (`pip install timm`) is trained from the same files by a plain loop: a DataLoader with
OpenCV, automatic mixed precision and channels last.
"""

import importlib.util
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from benchmarks.files import write_files
from kagglecxr.core.progress import Silent
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import load_competition
from kagglecxr.data.prepare import PrepareOptions, prepare_competition
from kagglecxr.data.prepared import PreparedData
from kagglecxr.models.runtime import list_devices, seed_everything
from kagglecxr.training.endless_batches import endless_batches
from kagglecxr.training.fold_data import FoldData
from kagglecxr.training.recipe import Recipe, load_recipe
from kagglecxr.training.stage import build_model, compile_model, precision_policy
from kagglecxr.training.tasks import make_task

SIDES, PRECISIONS, EPOCHS, WORKERS = (224, 320), ("float32", "mixed_bfloat16"), 4, 8


class EpochSeconds(keras.callbacks.Callback):
    """Keeps how long each epoch took; at its end Keras waits for the device."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Starts the clock."""
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Stops it."""
        self.seconds.append(time.perf_counter() - self._start)


def keras_epochs(prepared: PreparedData, recipe: Recipe) -> tuple[float, float, int]:
    """Seconds of a warm epoch, of one that is always the same batch, and an epoch's images."""
    keras.utils.clear_session()
    seed_everything(0)
    task = make_task(prepared)
    with precision_policy(recipe.precision):
        model = build_model(task, recipe)
        inputs = FoldData(task, prepared.fold, 0).fit_inputs(model, recipe, 0)
        steps = len(inputs.batches)
        compile_model(model, task, recipe, steps)
    first = inputs.batches.batch_at(0)

    def fit(batches: Callable[[int], tuple[Any, ...]]) -> float:
        clock = EpochSeconds()
        model.fit(
            endless_batches(batches), steps_per_epoch=steps, epochs=EPOCHS, shuffle=False,
            verbose=0, callbacks=[clock],
        )  # fmt: skip
        return float(np.median(clock.seconds[1:]))

    fed = fit(inputs.batches.batch_at)
    return fed, fit(lambda _: first), steps * recipe.batch_size


def plain_epochs(
    root: Path, paths: list[str], labels: np.ndarray, side: int, recipe: Recipe
) -> float:
    """Images a second of a plain PyTorch loop over the files, in a warm epoch."""
    import cv2
    import timm
    import torch

    class Files(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(paths)

        def __getitem__(self, item: int) -> tuple[Any, int]:
            cv2.setNumThreads(1)
            image = np.asarray(cv2.imread(str(root / paths[item]), cv2.IMREAD_GRAYSCALE))
            image = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
            angle, scale = np.random.uniform(-10, 10), np.random.uniform(0.9, 1.1)
            turn = cv2.getRotationMatrix2D((side / 2, side / 2), angle, scale)
            image = cv2.warpAffine(image, turn, (side, side))[:, :: np.random.choice((-1, 1))]
            pixels = torch.from_numpy(image.astype(np.float32) / 255)
            return pixels.expand(3, side, side), int(labels[item])

    device = "cuda" if torch.cuda.is_available() else "cpu"
    loader = torch.utils.data.DataLoader(
        Files(), recipe.batch_size, shuffle=True, drop_last=True, pin_memory=device == "cuda",
        num_workers=min(WORKERS, os.cpu_count() or 1), persistent_workers=True,
    )  # fmt: skip
    model = timm.create_model(recipe.model, num_classes=4).to(device)
    model = model.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(model.parameters(), recipe.learning_rate)
    is_mixed = recipe.precision != "float32"
    seconds = []
    for _ in range(EPOCHS):
        start = time.perf_counter()
        for images, targets in loader:
            there = images.to(device, memory_format=torch.channels_last, non_blocking=True)
            with torch.autocast(device, torch.bfloat16, enabled=is_mixed):
                loss = torch.nn.functional.cross_entropy(model(there), targets.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        float(loss)
        seconds.append(time.perf_counter() - start)
    return len(loader) * recipe.batch_size / float(np.median(seconds[1:]))


def main() -> None:
    """Prints a line for each size and precision."""
    sides = [int(text) for text in sys.argv[1:] if text.isdigit()] or SIDES
    changes = [text for text in sys.argv[1:] if "=" in text]
    chosen = [text.partition("=")[2] for text in changes if text.startswith("precision=")]
    backend, devices = keras.config.backend(), ", ".join(list_devices()) or "CPU"
    for side in sides:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "files"
            paths, labels = write_files(root)
            options = PrepareOptions(None, side, "gray | resize", 0.0, 5, False, 0, "plain")
            prepared = prepare_competition(
                load_competition(str(root)), Workspace.of("files", Path(folder)), options, Silent()
            )
            for precision in chosen or PRECISIONS:
                # On JAX a model with averaged weights cannot be fitted twice.
                plain = ["weights=", "sampling=natural", "ema=0.0", f"precision={precision}"]
                recipe = load_recipe("gpu", [*plain, *changes]).model_copy(update={"stages": []})
                fed, still, images = keras_epochs(prepared, recipe)
                line = (
                    f"{backend} on {devices}, {recipe.model}, {side} px, {precision}: {images} "
                    f"images in {fed:.2f} s, {images / fed:.0f} images/s; the device waits "
                    f"{max(0.0, 1 - still / fed):.0%} of the time"
                )
                if backend == "torch" and importlib.util.find_spec("timm"):
                    other = plain_epochs(root, paths, labels, side, recipe)
                    line += f"; timm {other:.0f} images/s, ratio {images / fed / other:.2f}"
                print(line, flush=True)


if __name__ == "__main__":
    main()
