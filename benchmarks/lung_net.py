"""Trains the package's own net of lung masks, on Kermany's X-rays with V7's masks alone.

Run: python -m benchmarks.lung_net path/to/cxr4 WEIGHTS_FOLDER

Both are under CC BY 4.0. The net is written to kagglecxr/segmentation/lung_net.
"""

import sys
from pathlib import Path

from kagglecxr.core.progress import Terminal
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import load_competition
from kagglecxr.data.masked import of_source
from kagglecxr.data.prepare import PrepareOptions, prepare_competition
from kagglecxr.models.runtime import setup_keras
from kagglecxr.reports.mask_report import report_masks
from kagglecxr.segmentation.mask_training import masked_data
from kagglecxr.segmentation.packaged_net import PACKAGED, pack_net
from kagglecxr.training.run import RunOptions, train_run
from kagglecxr.training.select_recipe import select_mask_recipe

SOURCE = "kermany"
SMALL = ("model=unet_mobilenet_025", "model_options.filters=[48, 32, 24, 16]", "epochs=20")


def main() -> None:
    """Trains all folds, prints their scores, and packs the first."""
    setup_keras()
    images, weights = sys.argv[1:]
    competition, terminal = load_competition(images), Terminal()
    workspace = Workspace(Path("work/lung_net"), competition.name)
    options = PrepareOptions(Path(images), 224, "gray | resize", 0.0, 5, False, 0)
    prepared = prepare_competition(competition, workspace, options, terminal)
    recipe = select_mask_recipe("lungs", [*SMALL, f"weights={weights}"], terminal)
    data = of_source(masked_data(prepared, workspace, recipe, terminal), SOURCE)
    run = train_run(data, workspace, recipe, terminal, RunOptions())
    evaluation = report_masks(run, data)
    print(evaluation.describe())
    print(evaluation.images.groupby("fold")[["iou", "dice"]].mean().round(4))
    pack_net(run, 0, PACKAGED)


if __name__ == "__main__":
    main()
