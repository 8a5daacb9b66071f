"""The verb `predict`: class probabilities of any images."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from kagglecxr.core.cli import CommonOptions, run_verb


def predict(
    model: Path,
    *images: str,
    out: Path = Path("predictions.csv"),
    picture: Path | None = None,
    pool: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    skip_unreadable: Annotated[bool, Parameter(negative="")] = False,
    common: CommonOptions = CommonOptions(),  # noqa: B008 frozen
) -> None:
    """Predicts any images with a run, an ensemble or an exported file; needs no competition.

    Example: python -m kagglecxr.predict exports/demo-cnn_small-d47a2c82.keras xrays/*.png

    Args:
        model: The folder of a run or of an ensemble, or a .keras, .h5, .onnx or .tflite file.
        images: Image files, folders, or patterns in quotes such as 'xrays/**/*.png'.
        out: The CSV with path, one column per class, label, and if the model can tell, unusual: 1
            for an image unlike the chest X-rays of the training set, else 0.
        picture: A PNG that shows the first 24 images with their probabilities.
        pool: Add up classes: --pool covid=COVID --pool other=Normal,Lung_Opacity; every class is in
            one pool.
        skip_unreadable: Skip image files that cannot be read, and name them.
        common: Options of every verb; images are decoded into a temporary folder in --work.
    """
    from kagglecxr.data.files.image_arguments import find_images

    paths = find_images(images)
    from kagglecxr.models.runtime import setup_keras

    setup_keras()
    from kagglecxr.core.files import temporary_folder, write_table
    from kagglecxr.ensembling.predict_images import check_outputs, predict_images
    from kagglecxr.reports.prediction_grid import draw_predictions

    check_outputs(out, picture)
    with temporary_folder(common.work) as scratch:
        predictions = predict_images(
            model, paths, scratch, common.terminal, pools=pool, skip_unreadable=skip_unreadable
        )
    write_table(out, predictions.table())
    sys.stdout.write(predictions.preview())
    result = predictions.describe(out)
    if picture is None:
        common.finish(result, f"the same with --picture {out.with_suffix('.png')}")
    else:
        drawn = draw_predictions(predictions, picture)
        common.finish(f"{result} {drawn}", f"python -m webbrowser {picture}")


if __name__ == "__main__":
    run_verb(predict)
