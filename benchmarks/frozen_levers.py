"""What a change gains for linear classifiers on frozen networks: lines of a Markdown table.

Run: python -m benchmarks.frozen_levers COMPETITION IMAGES WEIGHTS WORK [networks=NAME,...]
         [without=COLUMN=TEXT] [LEVER ...]

An image's features do not depend on the folds: each network answers once about each pipeline, and a
classifier is fitted in all folds of two draws of them. Levers are compared with the mean of the
same networks' classifiers on plain images, with intervals of a paired bootstrap. With `without` no
fold learns from images whose cell holds the text: they are predicted by the mean of all folds.
Features and predictions stay in WORK. All masks are those of the packaged net.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.frozen_experiment import MATCHED, RECIPES, REMEASURED, Experiment, FrozenLever
from kagglecxr.core.metrics import METRICS
from kagglecxr.core.paired_tests import PairedComparison, compare_paired
from kagglecxr.data.images.pipeline import DEFAULT_PIPELINE
from kagglecxr.training.recipe import LinearClassifier

DRAWS = (0, 1)


def _of(*pipelines: str) -> FrozenLever:
    return FrozenLever(pipelines)


CROPPED = "gray | lung_box(0.1) | resize"
WITH_MASK = "gray | resize | lung_channel"
BASE = "plain"
LEVERS = {
    BASE: FrozenLever(),
    "299 pixels": _of("gray | resize(299)"),
    "VGG16 alone, of 224 pixels": FrozenLever(
        networks=("vgg16",), changes=("model_options.side=224",)
    ),
    "cropped to the lungs, margin 0.1": _of(CROPPED),
    "plain and cropped": _of(DEFAULT_PIPELINE, CROPPED),
    "all but the lungs black": _of("gray | mask | resize"),
    "lung mask as a channel": _of(WITH_MASK),
    "plain, and with the mask": _of(DEFAULT_PIPELINE, WITH_MASK),
    "grey values by those of the lungs": _of("gray | resize | lung_zscore"),
    "CLAHE": _of("gray | resize | clahe"),
    "equalised": _of("gray | resize | equalise"),
    "mean histogram": FrozenLever(change=MATCHED),
    "statistics measured again": FrozenLever(change=REMEASURED),
    "one classifier of all networks": FrozenLever(joined=True),
    "discriminant analysis": FrozenLever(settings=LinearClassifier(method="lda")),
    "1,000 values selected in each fold": FrozenLever(settings=LinearClassifier(keep=1000)),
    "C = 0.001": FrozenLever(settings=LinearClassifier(C=1e-3)),
    "C = 0.01": FrozenLever(settings=LinearClassifier(C=1e-2)),
    **{f"{network} alone": FrozenLever(networks=(network,)) for network in RECIPES},
}


def compared(
    experiment: Experiment, name: str, draw: int
) -> tuple[PairedComparison, PairedComparison | None]:
    """A lever against the base: balanced accuracy out of fold, accuracy of what is left out."""
    prepared = experiment.prepared(DEFAULT_PIPELINE)
    truth, groups = prepared.target_ids(), prepared.groups()
    away = experiment.away(prepared)
    a, b = (experiment.predicted(LEVERS[each], draw) for each in (name, BASE))

    def on(rows: npt.NDArray[np.bool_], metric: str) -> PairedComparison:
        random = np.random.default_rng(0)
        return compare_paired(METRICS[metric], truth[rows], a[rows], b[rows], groups[rows], random)

    return on(~away, "balanced_accuracy"), on(away, "accuracy") if away.any() else None


def cells(found: Sequence[PairedComparison | None]) -> list[str]:
    """The score and the gain of each comparison."""
    return [
        f"{each.a:.3f} | {each.gain.score:+.3f} ({each.gain.low:+.3f} to {each.gain.high:+.3f})"
        for each in found
        if each is not None
    ]


def main() -> None:
    """Prints a line a lever."""
    name, images, weights, work, *rest = sys.argv[1:]
    given = dict(each.split("=", 1) for each in rest if "=" in each and each not in LEVERS)
    networks = given.get("networks", ",".join(RECIPES)).split(",")
    experiment = Experiment(
        images, name, weights, Path(work), tuple(networks), given.get("without", "")
    )
    experiment.work.mkdir(parents=True, exist_ok=True)
    levers = [each for each in rest if each in LEVERS] or [
        each for each, lever in LEVERS.items() if set(lever.networks or networks) <= set(networks)
    ]
    for lever in levers:
        line = [cell for draw in DRAWS for cell in cells(compared(experiment, lever, draw))]
        print(f"| {' | '.join([lever, *line])} |", flush=True)


if __name__ == "__main__":
    main()
