"""What a change to a recipe gains, out of fold over two draws of folds: lines of a Markdown table.

Run: python -m benchmarks.levers path/to/cxr path/to/weights WORK [key=value ...] [LEVER ...]

Each draw prepares the competition with a seed of its own and no test set; all masks are those of
the packaged net. Runs stay in WORK, so that a lever that is named again is only compared again, and
several processes may train different ones. `key=value` changes base and levers alike, as steps=20
for a shorter training; size=96 halves the sides of all images.
"""

import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.frozen_experiment import masks_of_one_net
from kagglecxr.core.metrics import METRICS
from kagglecxr.core.paired_tests import PairedComparison, compare_paired
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import OOF, read_run
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import load_competition
from kagglecxr.data.images.pipeline import DEFAULT_PIPELINE, Pipeline
from kagglecxr.data.prepare import PrepareOptions, prepare_competition
from kagglecxr.data.prepared import PreparedData, load_prepared
from kagglecxr.inference.predictions import Predictions
from kagglecxr.training.recipe import load_recipe
from kagglecxr.training.run import RunOptions, train_run

BASE, DRAWS = "cpu", (0, 1)


@dataclass(frozen=True)
class Lever:
    """How a run differs from the base.

    Attributes:
        changes: of the recipe, as key=value.
        pipeline: of the images.
        size: of the images in pixels.
        recipe: its name.
    """

    changes: tuple[str, ...] = ()
    pipeline: str = DEFAULT_PIPELINE
    size: int = 192
    recipe: str = "cpu"


LEVERS = {
    BASE: Lever(),
    "224 pixels": Lever(size=224),
    "lung mask as a channel": Lever(pipeline="gray | resize | lung_channel"),
    "grey values by those of the lungs": Lever(pipeline="gray | resize | lung_zscore"),
    "cropped to the lungs": Lever(pipeline="gray | lung_box | resize"),
    "cropped to the lungs, margin 0.15": Lever(pipeline="gray | lung_box(0.15) | resize"),
    "all but the lungs black": Lever(pipeline="gray | mask | resize"),
    "CLAHE": Lever(pipeline="gray | clahe | resize"),
    "equalised": Lever(pipeline="gray | equalise | resize"),
    "moving average of weights": Lever(("ema=0.99",)),
    "mean of the three best epochs": Lever(("best_epochs=3",)),
    "layer decay": Lever(("layer_decay=0.9",)),
    "head first": Lever(
        ('stages=[{epochs=10, trainable="head", learning_rate=3e-3, augmented=false}]',)
    ),
    "smaller images first": Lever(
        ('stages=[{epochs=5, trainable="all", side=128, learning_rate=5e-4}]', "epochs=8")
    ),
    "label smoothing": Lever(("label_smoothing=0.1",)),
    "mixup": Lever(("augmentation.mixup=0.2",)),
    "stronger grey values": Lever(
        ("augmentation.contrast=0.4", "augmentation.brightness=0.16", "augmentation.gamma=0.4")
    ),
    "twice the steps": Lever(("epochs=20",)),
    "half the steps": Lever(("epochs=5",)),
}


def prepared_draw(
    images: str, work: Path, lever: Lever, draw: int
) -> tuple[PreparedData, Workspace]:
    """The data of a draw of folds, prepared where they are not yet."""
    competition = load_competition(images)
    key = f"{lever.size}-{''.join(c if c.isalnum() else '-' for c in lever.pipeline)}-{draw}"
    workspace = Workspace(work / key, competition.name)
    if workspace.prepared.is_file():
        return load_prepared(competition, workspace), workspace
    if Pipeline.parse(lever.pipeline, lever.size).needs_mask:
        base = prepared_draw(images, work, LEVERS[BASE], DRAWS[0])
        shutil.copytree(masks_of_one_net(*base), workspace.masks, dirs_exist_ok=True)
    options = PrepareOptions(None, lever.size, lever.pipeline, 0.0, 5, skip_broken=False, seed=draw)
    return prepare_competition(competition, workspace, options, Silent()), workspace


def trained(images: str, weights: str, work: Path, lever: Lever, draw: int) -> Path:
    """The folder of the finished run of a lever on a draw."""
    prepared, workspace = prepared_draw(images, work, lever, draw)
    recipe = load_recipe(lever.recipe, [f"weights={weights}", *lever.changes])
    return train_run(prepared, workspace, recipe, Silent(), RunOptions(draw))


def compared(run: Path, base: Path, groups: dict[str, str]) -> PairedComparison:
    """A run against the base on the images that both were judged on."""
    a, b = (Predictions.load(folder / OOF) for folder in (run, base))
    place = {name: row for row, name in enumerate(b.ids)}
    order = [place[name] for name in a.ids]
    metric = METRICS["balanced_accuracy"]
    of_image = np.array([groups[name] for name in a.ids])
    random = np.random.default_rng(0)
    return compare_paired(
        metric, a.truth, a.probabilities, b.probabilities[order], of_image, random
    )


def main() -> None:
    """Trains what is missing and prints a line a lever."""
    images, weights, work, *words = sys.argv[1:]
    changes = dict(word.split("=", 1) for word in words if "=" in word)
    share = float(changes.pop("size", LEVERS[BASE].size)) / LEVERS[BASE].size
    common = tuple(f"{key}={value}" for key, value in changes.items())
    levers = {
        name: replace(lever, changes=(*common, *lever.changes), size=round(share * lever.size))
        for name, lever in LEVERS.items()
    }
    for name in [word for word in words if "=" not in word] or levers:
        cells = []
        for draw in DRAWS:
            run, base = (
                trained(images, weights, Path(work), levers[each], draw) for each in (name, BASE)
            )
            prepared, _ = prepared_draw(images, Path(work), levers[BASE], draw)
            ids = prepared.index.column("id", prepared.index.rows("train"))
            groups = dict(zip(ids, prepared.groups(), strict=True))
            found = compared(run, base, groups)
            cells.append(
                f"{found.a:.3f} | {found.gain.score:+.3f} ({found.gain.low:+.3f} to "
                f"{found.gain.high:+.3f})"
            )
        minutes = sum(read_run(run).seconds) / 60
        print(f"| {name} | {' | '.join(cells)} | {minutes:.1f} |", flush=True)


if __name__ == "__main__":
    main()
