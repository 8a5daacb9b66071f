"""Figures: what is drawn, and that a picture is one."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_fscore_support

from kagglecxr.reports.run_figures import (
    class_scores,
    confusion_matrix,
    error_by_class,
    learning_curves,
    save_figure,
)

CONFUSION = np.array([[2, 1, 0], [0, 1, 1], [0, 0, 1]])
NAMES = ["covid-19", "normal", "viral-pneumonia"]


def history(losses: list[float], start: int = 1) -> pd.DataFrame:
    epochs = range(start, start + len(losses))
    table = pd.DataFrame({"epoch": epochs, "loss": losses, "val_loss": losses})
    return table.assign(accuracy=0.5, val_accuracy=0.25, val_loss=table["loss"] + 1)


def curves(figure: Figure, panel: int) -> list[list[float]]:
    return [np.asarray(line.get_ydata()).tolist() for line in figure.axes[panel].lines]


def test_loss_and_accuracy_have_a_panel_each_with_a_line_a_fold_and_their_mean() -> None:
    figure = learning_curves([history([1.0, 0.5]), history([0.6, 0.3])])
    assert [axes.get_title() for axes in figure.axes] == ["Loss", "Accuracy"]
    training, validation = curves(figure, 0)[:3], curves(figure, 0)[3:]
    assert training == [[1.0, 0.5], [0.6, 0.3], pytest.approx([0.8, 0.4])]
    assert validation == [[2.0, 1.5], [1.6, 1.3], pytest.approx([1.8, 1.4])]
    assert curves(figure, 1) == [[0.5, 0.5]] * 3 + [[0.25, 0.25]] * 3


def test_the_legend_says_which_images_each_curve_is_of() -> None:
    legend = learning_curves([history([1.0, 0.5])]).axes[0].get_legend()
    assert legend is not None
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["training (sampled, augmented)", "validation (as it is)"]


def test_folds_that_stopped_early_leave_the_mean_to_the_others() -> None:
    figure = learning_curves([history([1.0, 0.5, 0.3]), history([0.6])])
    assert curves(figure, 0)[2] == pytest.approx([0.8, 0.5, 0.3])


def test_a_single_epoch_can_be_drawn(tmp_path: Path) -> None:
    save_figure(learning_curves([history([1.0])]), tmp_path / "one.png")
    assert shades(tmp_path / "one.png") > 10


def test_the_confusions_are_counted_and_shared_by_row() -> None:
    axes = confusion_matrix(CONFUSION, NAMES, "a run").axes[0]
    cells = [text.get_text() for text in axes.texts]
    assert cells[:3] == ["2\n67%", "1\n33%", "0\n0%"]
    assert cells[3:6] == ["0\n0%", "1\n50%", "1\n50%"]
    assert [label.get_text() for label in axes.get_xticklabels()] == NAMES
    assert [label.get_text() for label in axes.get_yticklabels()] == NAMES
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")
    assert axes.get_title() == "a run"


def test_a_class_without_images_has_no_share() -> None:
    axes = confusion_matrix(np.array([[3, 0], [0, 0]]), NAMES[:2], "").axes[0]
    assert [text.get_text() for text in axes.texts] == ["3\n100%", "0\n0%", "0\n0%", "0\n0%"]


def test_the_error_of_each_class_is_a_bar_from_the_top_down() -> None:
    axes = error_by_class(class_scores(CONFUSION, NAMES), "a run").axes[0]
    widths = [bar.get_width() for bar in axes.patches]  # type: ignore[attr-defined]
    assert widths == pytest.approx([1 / 3, 1 / 2, 0])
    labels = [text.get_text() for text in axes.texts]
    assert labels == ["33.3% of 3", "50.0% of 2", "0.0% of 1"]
    assert axes.yaxis_inverted()


def test_no_errors_at_all_can_be_drawn(tmp_path: Path) -> None:
    figure = error_by_class(class_scores(np.diag([3, 2, 1]), NAMES), "")
    low, high = figure.axes[0].get_xlim()
    assert low == 0
    assert high > 0
    save_figure(figure, tmp_path / "none.png")
    assert shades(tmp_path / "none.png") > 10


def test_the_scores_of_a_class_by_hand() -> None:
    table = class_scores(CONFUSION, NAMES)
    assert list(table.columns) == [
        "class",
        "images",
        "wrong",
        "error",
        "precision",
        "recall",
        "f1",
    ]
    assert table["class"].tolist() == NAMES
    assert table["images"].tolist() == [3, 2, 1]
    assert table["wrong"].tolist() == [1, 1, 0]
    assert table["error"].tolist() == pytest.approx([1 / 3, 1 / 2, 0])
    assert table["precision"].tolist() == pytest.approx([1, 1 / 2, 1 / 2])
    assert table["recall"].tolist() == pytest.approx([2 / 3, 1 / 2, 1])
    assert table["f1"].tolist() == pytest.approx([4 / 5, 1 / 2, 2 / 3])


@settings(deadline=None, max_examples=40)
@given(arrays(np.int64, (3, 3), elements=st.integers(0, 4)).filter(lambda counts: counts.sum() > 0))
def test_the_scores_of_a_class_are_scikit_learns(counts: npt.NDArray[np.int64]) -> None:
    pairs = [cell for cell in np.ndindex(3, 3) for _ in range(counts[cell])]
    truth, predicted = zip(*pairs, strict=True)
    precision, recall, f1, images = precision_recall_fscore_support(
        truth, predicted, labels=range(3), zero_division=0
    )
    table = class_scores(counts, NAMES)
    np.testing.assert_allclose(table["precision"], precision)
    np.testing.assert_allclose(table["recall"], recall)
    np.testing.assert_allclose(table["f1"], f1)
    np.testing.assert_array_equal(table["images"], images)


def shades(path: Path) -> int:
    """How many grey values a picture has; a blank one has one."""
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert image is not None
    return len(np.unique(image))


def test_a_saved_figure_is_a_picture_of_its_size(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "curves.png"
    save_figure(learning_curves([history([1.0, 0.5])]), path)
    image = cv2.imread(str(path))
    assert image is not None
    assert image.shape == (480, 1200, 3)
    assert shades(path) > 10
    assert list(path.parent.iterdir()) == [path]


def test_the_same_data_give_the_same_bytes_and_other_data_others(tmp_path: Path) -> None:
    for name, losses in (("a", [1.0, 0.5]), ("b", [1.0, 0.5]), ("c", [1.0, 0.4])):
        save_figure(learning_curves([history(losses)]), tmp_path / f"{name}.png")
    first = (tmp_path / "a.png").read_bytes()
    assert (tmp_path / "b.png").read_bytes() == first
    assert (tmp_path / "c.png").read_bytes() != first


def test_a_picture_names_no_version_that_would_change_its_bytes(tmp_path: Path) -> None:
    save_figure(learning_curves([history([1.0])]), tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    assert b"Software" not in content
    assert b"atplotlib" not in content


def test_drawing_touches_no_file(in_folder: Path) -> None:
    learning_curves([history([1.0])])
    confusion_matrix(CONFUSION, NAMES, "")
    error_by_class(class_scores(CONFUSION, NAMES), "")
    assert list(in_folder.iterdir()) == []
