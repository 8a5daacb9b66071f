"""What a report trained, trained again on the data at hand, beside what it published.

Run: python -m benchmarks.reports N IMAGES WEIGHTS WORK [key=value ...]

IMAGES is laid out like the report's data set. Each recipe learns from four fifths of the images and
is judged on the rest, patients apart; nets at the sizes of the report. Further words change all
recipes, as epochs=3. A row whose weights or images are not here says "not run".
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kagglecxr.core.errors import CxrError
from kagglecxr.core.metrics import METRICS
from kagglecxr.core.progress import Terminal
from kagglecxr.core.run_record import fold_folder
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import load_competition
from kagglecxr.data.prepare import PrepareOptions, prepare_competition
from kagglecxr.data.prepared import PreparedData
from kagglecxr.inference.predictions import Predictions
from kagglecxr.training.fold import FoldSummary
from kagglecxr.training.recipe import load_recipe
from kagglecxr.training.run import RunOptions, train_run

FOLDS = 5
RADIOGRAPHY = "covid19-radiography"


@dataclass(frozen=True)
class Row:
    """A system of a report.

    Attributes:
        recipe: of the package.
        preset: the competition.
        size: of its images in pixels.
        published: its figures, as the report has them.
        pipeline: of its images.
        weights: whether it starts from ImageNet's weights.
    """

    recipe: str
    preset: str
    size: int
    published: str
    pipeline: str = "gray | resize"
    weights: bool = True
    changes: Mapping[str, str] = field(default_factory=dict)


_MASKED = "gray | resize | equalise | mask | equalise"
REPORTS = {
    1: (
        Row("report1_mobilenet", RADIOGRAPHY, 224, "no figure"),
        Row("report1_scratch", RADIOGRAPHY, 224, "no figure", weights=False),
    ),
    2: (
        Row("report2_head", RADIOGRAPHY, 224, "accuracy 0.8684, loss 0.7646"),
        Row("report2_last_conv", RADIOGRAPHY, 224, "accuracy 0.8142, loss 1.1179"),
        Row("report2_last_2_conv", RADIOGRAPHY, 224, "accuracy 0.4194, loss 13.6389"),
    ),
    3: (
        Row(
            "report3_cnn_8x8_bn", f"{RADIOGRAPHY}-3-classes", 256, "accuracy 0.87",
            _MASKED, weights=False,
        ),
        Row("report3_cnn_8x8", f"{RADIOGRAPHY}-covid", 256, "accuracy 0.87", weights=False),
        Row(
            "report3_separable_cnn", f"{RADIOGRAPHY}-covid", 256, "accuracy 0.95",
            _MASKED, weights=False,
        ),
        Row("report3_xception45", f"{RADIOGRAPHY}-covid", 224, "accuracy 0.9778"),
    ),
    4: (
        Row("report4_vgg16", RADIOGRAPHY, 224, "accuracy 0.9371"),
        Row("report4_vgg19", RADIOGRAPHY, 224, "accuracy 0.9101"),
        Row("report4_resnet_v2", RADIOGRAPHY, 224, "accuracy 0.9699"),
        Row("report4_cnn_plain", RADIOGRAPHY, 224, "accuracy 0.2586", weights=False),
        Row("report4_cnn_4conv_bn", RADIOGRAPHY, 224, "accuracy 0.8483", weights=False),
        Row("report4_cnn_6conv_bn", RADIOGRAPHY, 224, "accuracy 0.8438", weights=False),
    ),
    5: (
        Row("report5_cnn", "chest-xray-pneumonia", 224, "accuracy 0.8638", weights=False),
        Row(
            "report5_cnn", "chest-xray-pneumonia", 224, "0.81 to 0.87 over runs", weights=False,
            changes={"optimizer": "adamax"},
        ),
    ),
}  # fmt: skip


def prepared_row(row: Row, images: Path, work: Path) -> tuple[PreparedData, Workspace]:
    """The images as the report had them."""
    competition = load_competition(row.preset)
    key = "".join(c if c.isalnum() else "-" for c in f"{row.size}-{row.pipeline}")
    workspace = Workspace(work / f"{competition.name}-{key}", competition.name)
    options = PrepareOptions(
        images, row.size, row.pipeline, 0.0, FOLDS, skip_broken=False, seed=0
    )  # fmt: skip
    return prepare_competition(competition, workspace, options, Terminal()), workspace


def line(row: Row, images: Path, weights: str, work: Path, changes: list[str]) -> str:
    """A line of the table: published figures, and ours on the held-out fifth."""
    own = [f"{key}={value}" for key, value in row.changes.items()]
    title = " ".join([row.recipe, *own])
    try:
        where = [f"weights={weights}"] if row.weights else []
        recipe = load_recipe(row.recipe, [*where, *own, *changes])
        prepared, workspace = prepared_row(row, images, work)
        run = train_run(prepared, workspace, recipe, Terminal(), RunOptions(only_fold=0))
    except CxrError as error:
        return (
            f"| {title} | {row.published} | not run: {' '.join(str(error).split())[:120]} | | | |"
        )
    fold = fold_folder(run, 0)
    held_out, summary = Predictions.load(fold / "validation.npz"), FoldSummary.read(fold)
    scores = [
        METRICS[name](held_out.truth, held_out.probabilities)
        for name in ("accuracy", "balanced_accuracy", "log_loss")
    ]
    cells = [f"{score:.4f}" for score in scores]
    return f"| {title} | {row.published} | {' | '.join(cells)} | {summary.seconds:.0f} |"


def main() -> None:
    """Prints the table of a report."""
    number, images, weights, work, *changes = sys.argv[1:]
    print("| recipe | published | accuracy | balanced accuracy | log loss | seconds |")
    print("|---|---|---|---|---|---|")
    for row in REPORTS[int(number)]:
        print(line(row, Path(images), weights, Path(work), changes), flush=True)


if __name__ == "__main__":
    main()
