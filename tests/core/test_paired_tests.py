"""Paired tests: by hand, against scikit-learn and SciPy, and on models that are equally good."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kagglecxr.core.errors import DataError
from kagglecxr.core.independent_tests import mcnemar
from kagglecxr.core.intervals import Interval
from kagglecxr.core.metrics import METRICS, Metric
from kagglecxr.core.paired_tests import PairedComparison, compare_paired
from tests.core.decisions import Bools, decided, singles

ACCURACY = Metric("accuracy", lambda truth, given: float((given.argmax(1) == truth).mean()))
"""Without the thousands of calls to scikit-learn that resampling would make."""


def compared(
    right_a: Bools, right_b: Bools, groups: list[str] | None = None, resamples: int = 500
) -> PairedComparison:
    images = len(right_a)
    names = np.array(groups or [f"g{i}" for i in range(images)], object)
    return compare_paired(
        ACCURACY, np.zeros(images, np.intp), decided(right_a), decided(right_b), names,
        np.random.default_rng(0), resamples,
    )  # fmt: skip


def test_the_p_value_is_the_share_of_the_exchanges_that_part_the_models_as_far() -> None:
    # Of the 16 exchanges of 4 images two, none and all, part A and B by 4 images.
    result = compared(np.ones(4, bool), np.zeros(4, bool), resamples=4000)
    assert (result.a, result.b, result.gain.score) == (1.0, 0.0, 1.0)
    assert result.p_value == pytest.approx(2 / 16, abs=0.02)


def test_the_images_of_a_group_are_exchanged_together() -> None:
    right = np.ones(4, bool)
    pairs = compared(right, ~right, list("aabb"), 4000)
    assert pairs.p_value == pytest.approx(2 / 4, abs=0.03)
    assert compared(right, ~right, list("aaaa"), 100).p_value == 1.0
    assert (pairs.images, pairs.groups) == (4, 2)


@pytest.mark.parametrize(("only_a", "only_b"), [(10, 2), (7, 3), (5, 5)])
def test_of_single_images_the_p_value_is_mcnemars(only_a: int, only_b: int) -> None:
    right_a = np.repeat([True, False, True], [only_a, only_b, 20])
    right_b = np.repeat([False, True, True], [only_a, only_b, 20])
    images = len(right_a)
    exact = mcnemar(
        np.zeros(images, np.intp), decided(right_a), decided(right_b), singles(images)
    ).p_value
    assert compared(right_a, right_b, resamples=2000).p_value == pytest.approx(exact, abs=0.035)


def test_the_interval_is_as_wide_as_theory_says() -> None:
    # Right alone are A on 15 % of the images and B on 5 %.
    alone = np.arange(400) % 20
    result = compared(alone > 0, alone > 2, resamples=1500)
    error = np.sqrt((0.1 - 0.1**2) / 400)
    assert result.gain.score == pytest.approx(0.1)
    assert result.gain.low == pytest.approx(0.1 - 1.96 * error, abs=0.004)
    assert result.gain.high == pytest.approx(0.1 + 1.96 * error, abs=0.004)
    assert result.verdict == "better"


def test_the_interval_of_groups_is_that_of_as_many_single_images() -> None:
    alone = np.arange(60) % 6
    of_groups = compared(
        np.repeat(alone > 0, 5), np.repeat(alone > 1, 5), [f"g{i // 5:02}" for i in range(300)]
    )
    of_images = compared(alone > 0, alone > 1, [f"g{i:02}" for i in range(60)])
    assert of_groups.gain.low == pytest.approx(of_images.gain.low)
    assert of_groups.gain.high == pytest.approx(of_images.gain.high)
    assert of_groups.p_value == of_images.p_value


@settings(deadline=None, max_examples=15)
@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from("abcdefg")), min_size=1),
)
# A bound of 0.32125, whose last digits differ from one side to the other.
@example(
    [
        *((False, group != "a", group) for group in "abccd"),
        (True, True, "b"),
    ]
)
def test_b_against_a_is_the_opposite_of_a_against_b(
    images: list[tuple[bool, bool, str]],
) -> None:
    right_a, right_b, groups = (list(column) for column in zip(*images, strict=True))
    a, b = np.array(right_a, bool), np.array(right_b, bool)
    one, other = compared(a, b, groups, 60), compared(b, a, groups, 60)
    assert (one.a, one.b) == (other.b, other.a)
    assert one.gain.score == -other.gain.score
    assert one.gain.low == pytest.approx(-other.gain.high)
    assert one.p_value == other.p_value
    assert {one.verdict, other.verdict} in ({"luck"}, {"better", "worse"})
    assert one.sentence("A", "B") == other.sentence("B", "A") or one.gain.score == 0


def test_equal_predictions_are_equally_good() -> None:
    result = compared(np.arange(9) > 2, np.arange(9) > 2)
    assert result.gain == Interval(0.0, 0.0, 0.0)
    assert (result.p_value, result.verdict) == (1.0, "luck")


def test_probabilities_that_change_no_decision_change_no_accuracy_but_the_loss() -> None:
    truth = np.arange(40) % 2
    sure = np.where(truth[:, None] == [0, 1], 0.9, 0.1)
    unsure = np.where(truth[:, None] == [0, 1], 0.6, 0.4)
    results = {
        name: compare_paired(
            METRICS[name], truth, sure, unsure, singles(40), np.random.default_rng(0), 100
        )
        for name in ("balanced_accuracy", "log_loss")
    }
    assert results["balanced_accuracy"].p_value == 1.0
    loss = results["log_loss"]
    assert loss.gain.score == pytest.approx(np.log(0.9 / 0.6))
    assert (loss.a, loss.b) == pytest.approx((-np.log(0.9), -np.log(0.6)))
    assert loss.p_value == pytest.approx(1 / 101)
    assert loss.verdict == "better"


def test_the_same_random_numbers_give_the_same_comparison() -> None:
    right_a, right_b = np.arange(30) % 3 > 0, np.arange(30) % 4 > 0
    assert compared(right_a, right_b) == compared(right_a, right_b)


def test_resamples_without_a_class_are_left_out_of_the_interval() -> None:
    truth = np.array([0, 1, 1, 1])
    a = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7]])
    result = compare_paired(
        METRICS["auc"], truth, a, a[::-1], singles(4), np.random.default_rng(0), 60
    )
    assert np.isfinite([result.gain.low, result.gain.high]).all()


def test_images_of_one_target_have_no_area_to_compare() -> None:
    a = decided(np.array([True, False]))
    with pytest.raises(DataError, match=r"The auc .* 2 images of 1 targets"):
        compare_paired(
            METRICS["auc"], np.zeros(2, np.intp), a, a, singles(2), np.random.default_rng(0)
        )


RESULT = PairedComparison(
    METRICS["balanced_accuracy"], 0.91, 0.889, Interval(0.021, 0.004, 0.038), 0.012, 349, 250
)


@pytest.mark.parametrize(
    ("gain", "p_value", "verdict"),
    [
        (Interval(0.021, 0.004, 0.038), 0.049, "better"),
        (Interval(0.021, 0.004, 0.038), 0.05, "luck"),
        (Interval(0.021, 0.0, 0.038), 0.01, "luck"),
        (Interval(0.021, -0.004, 0.038), 0.01, "luck"),
        (Interval(-0.021, -0.038, -0.004), 0.049, "worse"),
        (Interval(-0.021, -0.038, -0.004), 0.05, "luck"),
        (Interval(-0.021, -0.038, 0.0), 0.01, "luck"),
    ],
)
def test_better_needs_both_the_p_value_and_the_interval(
    gain: Interval, p_value: float, verdict: str
) -> None:
    assert replace(RESULT, gain=gain, p_value=p_value).verdict == verdict


@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        (
            RESULT,
            "A is better than B by 0.0210 balanced accuracy (95 % interval 0.0040 to 0.0380, "
            "p = 0.012, 349 images in 250 groups): more than luck.",
        ),
        (
            replace(RESULT, gain=Interval(-0.021, -0.038, -0.004), p_value=0.0005, groups=349),
            "B is better than A by 0.0210 balanced accuracy (95 % interval 0.0040 to 0.0380, "
            "p < 0.001, 349 images): more than luck.",
        ),
        (
            replace(RESULT, gain=Interval(-0.021, -0.05, 0.008), p_value=0.3),
            "B is ahead of A by 0.0210 balanced accuracy (95 % interval -0.0080 to 0.0500, "
            "p = 0.300, 349 images in 250 groups): it could be luck.",
        ),
        (
            replace(RESULT, b=0.91, gain=Interval(0.0, -0.01, 0.01), p_value=1.0, groups=349),
            "A and B have the same balanced accuracy, 0.9100 (95 % interval of the difference "
            "-0.0100 to 0.0100, p = 1.000, 349 images).",
        ),
    ],
)
def test_the_verdict_is_one_sentence(result: PairedComparison, sentence: str) -> None:
    assert result.sentence("A", "B") == sentence


def correlated_models(random: np.random.Generator, groups: int) -> tuple[Bools, Bools, list[str]]:
    """Two models of equal accuracy, each wrong on hard patients, over 1 to 5 images of each."""
    sizes = random.integers(1, 6, size=groups)
    patient = np.repeat(np.arange(groups), sizes)
    hard = random.normal(size=groups)[patient] + 0.5 * random.normal(size=len(patient))
    right = [
        hard + random.normal(size=groups)[patient] + 0.5 * random.normal(size=len(patient)) < 1.5
        for _ in range(2)
    ]
    return right[0], right[1], [f"p{k}" for k in patient]


@pytest.mark.slow
def test_of_two_equal_models_hardly_ever_one_is_called_better() -> None:
    random = np.random.default_rng(0)
    verdicts = [compared(*correlated_models(random, 60), resamples=400).verdict for _ in range(400)]
    assert sum(verdict != "luck" for verdict in verdicts) <= 28
