"""Trains the package's own net of lung masks, on Kermany's X-rays with V7's masks alone.

Run: python -m benchmarks.lung_net path/to/cxr4 WEIGHTS_FOLDER

Both are under CC BY 4.0. The net and its model card are written to kagglecxr/segmentation/lung_net.
"""

import sys
from pathlib import Path

from kagglecxr.core.files import file_digest
from kagglecxr.core.progress import Terminal
from kagglecxr.core.run_record import WEIGHTS, fold_folder, read_run
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import load_competition
from kagglecxr.data.masked import by_source, of_sources
from kagglecxr.data.prepare import PrepareOptions, prepare_competition
from kagglecxr.models.runtime import setup_keras
from kagglecxr.reports.mask_report import report_masks
from kagglecxr.segmentation.evaluation import MaskEvaluation
from kagglecxr.segmentation.mask_training import masked_data
from kagglecxr.segmentation.packaged_net import PACKAGED, pack_net
from kagglecxr.training.run import RunOptions, train_run
from kagglecxr.training.select_recipe import select_mask_recipe

LEARNED, OTHER = "kermany", "cohen"
SMALL = ("model=unet_mobilenet_025", "model_options.filters=[48, 32, 24, 16]")
CARD = """# The package's net of lung masks

`segment` predicts with it where no masks came with the images and no net was trained.

- **What it is:** a U-Net on MobileNet 0.25, {parameters:,} parameters, for images of {size}
  pixels. It started from ImageNet's weights of keras.applications (Apache-2.0).
- **What it learned from:** {learned} frontal chest X-rays of children of one hospital, from the
  training part of Kermany et al. 2018 (Mendeley Data rscbjbr9sj, CC BY 4.0), with masks by V7 Labs
  (CC BY 4.0), which include the lung behind the heart. Nothing else.
- **What its flags come from:** X-rays of Cohen's collection, of which it learned nothing: a mask or
  an image is suspicious where it is beyond 99 of 100 of them.
- **Licence:** CC BY 4.0; name the two sources above.
- **How it was trained:** `python -m benchmarks.lung_net path/to/cxr4 WEIGHTS_FOLDER`
- **SHA-256** of `fold-0/{weights}`: `{digest}`

| images | n | IoU | its deviation | Dice | 95 % Hausdorff distance in pixels |
|---|---|---|---|---|---|
| Cohen's collection (COVID-19), of which this net learned nothing | {rows[0]} |
| Kermany, by a net of the same recipe that learned from Cohen's alone | {rows[1]} |

**Where it was not tried:** other collections than these two, lateral views, CT, lungs that are
white all over or were removed. It says nothing of a disease and is not for diagnosis. Look at the
masks: `suspicious.png` shows those that look wrong.
"""


def main() -> None:
    """Trains without each source, packs the fold that learned from Kermany, writes its card."""
    setup_keras()
    images, weights = sys.argv[1:]
    competition, terminal = load_competition(images), Terminal()
    workspace = Workspace(Path("work/lung_net"), competition.name)
    options = PrepareOptions(Path(images), 192, "gray | resize", 0.0, 3, False, 0)
    prepared = prepare_competition(competition, workspace, options, terminal)
    recipe = select_mask_recipe("lungs", [*SMALL, f"weights={weights}"], terminal)
    every = masked_data(prepared, workspace, recipe, terminal)
    data = by_source(of_sources(every, LEARNED, OTHER))
    run = train_run(data, workspace, recipe, terminal, RunOptions())
    of_source = dict(zip(data.index.table["source"], data.fold.tolist(), strict=False))
    pack_net(run, of_source[OTHER], PACKAGED)
    evaluation = report_masks(run, data).images
    record = read_run(PACKAGED)
    card = CARD.format(
        parameters=record.parameters["all"],
        size=record.input_shape[0],
        learned=int((data.fold == of_source[LEARNED]).sum()),
        weights=WEIGHTS,
        digest=file_digest(fold_folder(PACKAGED, 0) / WEIGHTS),
        rows=[
            scores(MaskEvaluation(evaluation[evaluation["source"] == source]))
            for source in (OTHER, LEARNED)
        ],
    )
    (PACKAGED / "README.md").write_text(card, encoding="utf-8")
    sys.stdout.write(card)


def scores(evaluation: MaskEvaluation) -> str:
    """Returns n, IoU and its deviation, Dice and Hausdorff distance as cells of a table."""
    mean = evaluation.summary().iloc[0]
    figures = [f"{mean[name]:.3f}" for name in ("iou", "iou_deviation", "dice")]
    return " | ".join([f"{mean['images']}", *figures, f"{mean['hausdorff95']:.1f}"])


if __name__ == "__main__":
    main()
