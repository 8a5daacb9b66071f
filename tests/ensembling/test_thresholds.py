"""Class weights against all thresholds there are, and against what they do on fresh images."""

from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.metrics import confusion_matrix

from kagglecxr.core.errors import SettingError
from kagglecxr.core.metrics import METRICS
from kagglecxr.ensembling.thresholds import (
    ThresholdJudgement,
    apply_class_weights,
    fit_class_weights,
    nested_gain,
)

Sample = tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]
OF_DECISIONS = [name for name in METRICS.names() if not METRICS[name].needs_probabilities]
ACCURACY, BALANCED = METRICS["accuracy"], METRICS["balanced_accuracy"]


def weights_of_threshold(threshold: float) -> npt.NDArray[np.float64]:
    """The weights by which the second of two targets needs more than this probability."""
    return 2.0 * np.array([threshold, 1.0 - threshold])


def threshold_of_weights(weights: npt.NDArray[np.float64]) -> float:
    return float(weights[0] / weights.sum())


def two_columns(positive: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.stack([1 - positive, positive], axis=1)


def sample(images: int, random: np.random.Generator, shift: float = 1.0) -> Sample:
    """Calibrated probabilities of three balanced targets: equal weights are the best."""
    truth = random.integers(3, size=images)
    seen = random.normal(size=(images, 3))
    seen[np.arange(images), truth] += shift
    return softmax(shift * seen, axis=1), truth


def report_3() -> Sample:
    """The COVID test part of a student's report: 180 of COVID, target 1, and 876 of others."""
    of_covid = np.repeat([0.9, 0.6, 0.2], [164, 5, 11])
    of_others = np.repeat([0.9, 0.6, 0.2], [17, 20, 839])
    truth = np.repeat([1, 0], [180, 876])
    return two_columns(np.concatenate([of_covid, of_others])), truth


def confusion(probabilities: npt.NDArray[np.floating], truth: npt.NDArray[np.intp]) -> object:
    return confusion_matrix(truth, probabilities.argmax(axis=1), labels=[1, 0]).tolist()


def test_the_threshold_of_report_3_moves_its_confusion_matrix() -> None:
    probabilities, truth = report_3()
    moved = apply_class_weights(probabilities, weights_of_threshold(0.77))
    assert confusion(probabilities, truth) == [[169, 11], [37, 839]]
    assert confusion(moved, truth) == [[164, 16], [17, 859]]
    assert round(ACCURACY(truth, probabilities), 2) == 0.95
    assert round(ACCURACY(truth, moved), 2) == 0.97


def test_the_threshold_of_report_3_is_found() -> None:
    probabilities, truth = report_3()
    weights = fit_class_weights(ACCURACY, probabilities, truth)
    assert 0.6 < threshold_of_weights(weights) < 0.9
    assert confusion(apply_class_weights(probabilities, weights), truth) == [[164, 16], [17, 859]]


@given(st.floats(0.01, 0.99), st.floats(0.0, 1.0))
def test_weights_of_two_targets_are_a_threshold(threshold: float, positive: float) -> None:
    weights = weights_of_threshold(threshold)
    assert weights.sum() == pytest.approx(2.0)
    assert threshold_of_weights(weights) == pytest.approx(threshold)
    if abs(positive - threshold) > 1e-6:
        decided = apply_class_weights(two_columns(np.array([positive])), weights).argmax()
        assert decided == (positive > threshold)


def test_weighted_rows_sum_to_one() -> None:
    weighted = apply_class_weights(np.array([[0.5, 0.3, 0.2]], np.float32), np.array([1, 1, 3.0]))
    assert weighted.dtype == np.float32
    assert weighted[0] == pytest.approx(np.array([0.5, 0.3, 0.6]) / 1.4)


@st.composite
def two_target_cases(draw: st.DrawFn) -> Sample:
    images = draw(st.integers(2, 14))
    truth = [0, 1, *draw(st.lists(st.integers(0, 1), min_size=images - 2, max_size=images - 2))]
    tenths = draw(st.lists(st.integers(1, 19), min_size=images, max_size=images))
    return two_columns(np.array(tenths) / 20), np.array(truth)


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(OF_DECISIONS), two_target_cases())
def test_no_threshold_is_better_than_that_found_for_two_targets(name: str, case: Sample) -> None:
    probabilities, truth = case
    metric = METRICS[name]
    found = metric(truth, probabilities * fit_class_weights(metric, probabilities, truth))
    others = [metric(truth, probabilities * weights_of_threshold((t + 0.5) / 20))
              for t in range(20)]  # fmt: skip
    assert found == pytest.approx(max(*others, metric(truth, probabilities)))


def test_few_weights_of_three_targets_are_better_than_those_found() -> None:
    grid = np.exp(np.linspace(-2, 2, 13))
    lost = []
    for seed in range(5):
        probabilities, truth = sample(60, np.random.default_rng(seed))
        found = fit_class_weights(BALANCED, probabilities, truth)
        best = max(BALANCED(truth, probabilities * [1, a, b]) for a, b in product(grid, grid))
        lost.append(best - BALANCED(truth, probabilities * found))
    assert max(lost) < 0.05
    assert np.mean(lost) < 0.02


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000))
def test_weights_are_positive_sum_to_the_targets_and_never_harm(seed: int) -> None:
    probabilities, truth = sample(30, np.random.default_rng(seed))
    weights = fit_class_weights(BALANCED, probabilities, truth)
    assert weights.dtype == np.float64
    assert (weights > 0).all()
    assert weights.sum() == pytest.approx(3.0)
    assert BALANCED(truth, probabilities * weights) >= BALANCED(truth, probabilities) - 1e-12
    assert (fit_class_weights(BALANCED, probabilities, truth) == weights).all()


def test_many_weights_are_searched_as_well_as_few() -> None:
    # The best of 600 interleaved images is between 0.700 and 0.701.
    positive = np.arange(1000) / 1000
    random = np.random.default_rng(0)
    truth = np.where(positive > 0.7, random.random(1000) < 0.9, random.random(1000) < 0.1) * 1
    truth[690:701], truth[701:711] = 0, 1
    weights = fit_class_weights(ACCURACY, two_columns(positive), truth)
    assert threshold_of_weights(weights) == pytest.approx(0.7005, abs=1e-4)


def test_probabilities_of_zero_and_one_are_no_trouble() -> None:
    probabilities = np.array([[1.0, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]])
    weights = fit_class_weights(ACCURACY, probabilities, np.array([0, 1, 0, 2]))
    assert np.isfinite(weights).all()
    assert np.isfinite(apply_class_weights(probabilities, weights)).all()


def test_weights_that_gain_nothing_stay_equal() -> None:
    probabilities = np.array([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7]])
    assert fit_class_weights(BALANCED, probabilities, np.array([0, 0, 1])).tolist() == [1, 1]


def test_of_equally_good_weights_the_nearest_to_one_is_taken() -> None:
    # 0.27 and 0.80, the middles of the gaps, each leave two of six wrong, and 0.5 four.
    positive = np.array([0.2, 0.35, 0.4, 0.6, 0.65, 0.9])
    truth = np.array([0, 1, 1, 0, 0, 1])
    weights = fit_class_weights(ACCURACY, two_columns(positive), truth)
    assert threshold_of_weights(weights) == pytest.approx(0.27, abs=0.01)
    weights = fit_class_weights(ACCURACY, two_columns(1 - positive), 1 - truth)
    assert threshold_of_weights(weights) == pytest.approx(0.73, abs=0.01)


@pytest.mark.parametrize("name", ["log_loss", "auc"])
def test_a_metric_of_probabilities_is_refused(name: str) -> None:
    with pytest.raises(SettingError, match=f"decisions.*{name}"):
        fit_class_weights(METRICS[name], np.array([[0.8, 0.2], [0.3, 0.7]]), np.array([0, 1]))


def test_a_shift_of_the_classes_is_a_gain_that_holds() -> None:
    probabilities, truth = sample(600, np.random.default_rng(0), shift=2.0)
    shifted = apply_class_weights(probabilities, np.array([0.2, 1.0, 1.8]))
    judged = nested_gain(BALANCED, shifted, truth, np.arange(600) % 5)
    assert judged.score == pytest.approx(BALANCED(truth, shifted))
    assert judged.nested_gain > 0.03
    assert str(judged).endswith("on others (nested): most of it holds.")


@pytest.mark.parametrize(
    ("apparent", "nested", "sentence"),
    [
        (
            0.021,
            0.004,
            "Moving the thresholds gains 0.0210 balanced accuracy on the images they were fitted "
            "on, and 0.0040 on others (nested): most of it is luck.",
        ),
        (0.01, -0.002, "-0.0020 on others (nested): all of it is luck."),
        (0.01, 0.008, "0.0080 on others (nested): most of it holds."),
        (0.0, 0.0, "Moving the thresholds gains no balanced accuracy."),
    ],
)
def test_a_judgement_says_how_much_is_luck(apparent: float, nested: float, sentence: str) -> None:
    judgement = ThresholdJudgement(BALANCED, 0.9, apparent, nested)
    assert str(judgement).endswith(sentence)


def biases(draws: int, images: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """By how much the apparent and the nested score exceed that of many fresh images."""
    apparent, nested = [], []
    folds = np.arange(images) % 5
    for seed in range(draws):
        random = np.random.default_rng(seed)
        probabilities, truth = sample(images, random)
        fresh, fresh_truth = sample(5000, random)
        judged = nested_gain(BALANCED, probabilities, truth, folds)
        weights = fit_class_weights(BALANCED, probabilities, truth)
        of_others = [
            BALANCED(
                fresh_truth,
                fresh * fit_class_weights(BALANCED, probabilities[rest], truth[rest]),
            )
            for rest in (folds != fold for fold in range(5))
        ]
        apparent.append(
            judged.score + judged.apparent_gain - BALANCED(fresh_truth, fresh * weights)
        )
        nested.append(judged.score + judged.nested_gain - np.mean(of_others))
    return np.array(apparent), np.array(nested)


def z_score(differences: npt.NDArray[np.float64]) -> float:
    return float(differences.mean() / (differences.std(ddof=1) / np.sqrt(len(differences))))


@pytest.mark.parametrize(
    "draws", [12, pytest.param(100, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_the_nested_score_is_that_of_fresh_images_and_the_apparent_one_is_not(draws: int) -> None:
    apparent, nested = biases(draws, 90)
    assert abs(z_score(nested)) < 3
    assert z_score(apparent) > 3
    assert apparent.mean() > 0.02
