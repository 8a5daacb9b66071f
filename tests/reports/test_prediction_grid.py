"""Pictures of predictions: each image with its label, its name and its probabilities."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from kagglecxr.inference.predict_files import FilePredictions
from kagglecxr.reports.prediction_grid import draw_predictions, prediction_grid
from kagglecxr.reports.run_figures import TRAIN

CLASSES = ["covid $x^$", "normal"]


def of(images: int, classes: list[str] = CLASSES) -> FilePredictions:
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.ones(len(classes)), images).astype(np.float32)
    paths = [f"xrays/{number}.png" for number in range(images)]
    return FilePredictions(paths, classes, probabilities)


@pytest.mark.parametrize(("images", "rows", "columns"), [(1, 1, 1), (4, 1, 4), (5, 2, 4)])
def test_every_image_has_its_label_its_name_and_a_bar_a_class(
    images: int, rows: int, columns: int
) -> None:
    predictions = of(images)
    figure = prediction_grid([np.zeros((9, 8), np.uint8)] * images, predictions)
    assert len(figure.axes) == 2 * rows * columns
    pictures = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in pictures] == predictions.labels
    assert [axes.get_xlabel() for axes in pictures] == predictions.paths
    plots = [axes for axes in figure.axes if axes.patches]
    for axes, probabilities, label in zip(
        plots, predictions.probabilities, predictions.labels, strict=True
    ):
        lengths = [bar.get_width() for bar in axes.patches]  # type: ignore[attr-defined]
        np.testing.assert_allclose(lengths, probabilities, atol=1e-6)
        assert [text.get_text() for text in axes.get_yticklabels()] == CLASSES
        assert [text.get_text() for text in axes.texts] == [f"{p:.3f}" for p in probabilities]
        coloured = [bar.get_facecolor() for bar in axes.patches]
        own = coloured[CLASSES.index(label)]
        assert coloured.count(own) == 1
        assert "#" + "".join(f"{round(255 * part):02x}" for part in own[:3]) == TRAIN


def test_of_many_classes_the_most_probable_are_shown_in_their_order() -> None:
    classes = [f"class {number}" for number in range(12)]
    predictions = of(1, classes)
    figure = prediction_grid([np.zeros((9, 8), np.uint8)], predictions)
    shown = [text.get_text() for text in figure.axes[1].get_yticklabels()]
    best = np.argsort(predictions.probabilities[0])[-8:]
    assert shown == [classes[number] for number in sorted(best)]


def test_a_picture_has_24_images_at_most_and_says_so(tmp_path: Path) -> None:
    paths = []
    for number in range(25):
        paths.append(str(tmp_path / f"{number:02} with a very long name indeed.png"))
        pixels = np.random.default_rng(number).integers(0, 256, (40, 1500, 3), np.uint8)
        cv2.imwrite(paths[-1], pixels)
    many = FilePredictions(paths, CLASSES, of(25).probabilities)
    path = tmp_path / "out" / "picture.png"
    assert draw_predictions(many, path) == f"Drew the first 24 of 25 images: {path}."
    assert len(np.unique(cv2.imread(str(path)))) > 50
    few = FilePredictions(paths[:2], CLASSES, of(2).probabilities)
    assert draw_predictions(few, path) == f"Drew: {path}."
