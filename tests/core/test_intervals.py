"""The bootstrap of groups against what is known of it, and BCa against SciPy."""

from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import bootstrap

from kagglecxr.core.intervals import Interval, bootstrap_interval
from kagglecxr.core.metrics import METRICS, Metric

METHODS: list[Literal["percentile", "bca"]] = ["percentile", "bca"]
SHARE_RIGHT = Metric("share", lambda truth, given: float((given.argmax(axis=1) == truth).mean()))
MEAN = Metric("mean", lambda truth, given: float(given[:, 0].mean()))
VARIANCE = Metric("variance", lambda truth, given: float(given[:, 0].var()))


def one_hot(decided: list[int], targets: int = 2) -> npt.NDArray[np.float64]:
    return np.eye(targets)[decided]


def test_an_interval_is_shown_with_its_bounds() -> None:
    assert str(Interval(0.9, 0.85, 0.95)) == "0.9000 (95 % interval 0.8500 to 0.9500)"


def interval_of(
    right: npt.NDArray[np.bool_], groups: list[str], seed: int = 0, resamples: int = 1000
) -> Interval:
    truth = np.zeros(len(right), np.intp)
    given = one_hot((~right).astype(int).tolist())
    random = np.random.default_rng(seed)
    return bootstrap_interval(
        SHARE_RIGHT, truth, given, np.array(groups, object), random, resamples
    )


def test_single_images_give_the_width_that_theory_tells() -> None:
    right = np.arange(400) % 5 != 0
    interval = interval_of(right, [str(i) for i in range(400)])
    assert interval.score == pytest.approx(0.8)
    expected = 2 * 1.96 * np.sqrt(0.8 * 0.2 / 400)
    assert interval.high - interval.low == pytest.approx(expected, rel=0.12)
    assert interval.low < 0.8 < interval.high


def test_equal_images_of_a_patient_make_the_interval_as_wide_as_the_patients_alone() -> None:
    right = np.repeat(np.arange(40) % 4 != 0, 9)
    by_image = interval_of(right, [str(i) for i in range(360)])
    by_patient = interval_of(right, [str(i // 9) for i in range(360)])
    ratio = (by_patient.high - by_patient.low) / (by_image.high - by_image.low)
    assert ratio == pytest.approx(3.0, rel=0.2)


def test_groups_are_drawn_whole() -> None:
    groups = np.array(["a", "b", "a", "c", "c", "c"], object)
    seen: list[list[int]] = []

    def remember(truth: npt.NDArray[np.integer], given: npt.NDArray[np.floating]) -> float:
        seen.append(np.bincount(truth, minlength=6).tolist())
        return float(given[:, 0].mean())

    bootstrap_interval(
        Metric("spy", remember),
        np.arange(6),
        np.ones((6, 2)),
        groups,
        np.random.default_rng(0),
        50,
    )
    resampled = [counts for counts in seen if counts != [1] * 6]
    assert len(seen) == 51
    assert len(resampled) > 10
    for a, b, a_too, c, c_too, c_three in resampled:
        assert a == a_too
        assert c == c_too == c_three
        assert a + b + c == 3


def test_the_same_seed_draws_the_same_interval_and_another_seed_another() -> None:
    right = np.arange(30) % 3 != 0
    groups = [str(i) for i in range(30)]
    wide = interval_of(right, groups, resamples=50)
    assert interval_of(right, groups, resamples=50) == wide
    assert interval_of(right, groups, seed=1, resamples=50) != wide


def test_where_nothing_is_wrong_the_interval_is_a_point() -> None:
    interval = interval_of(np.ones(6, bool), list("aabbcc"), resamples=20)
    assert interval == Interval(1.0, 1.0, 1.0)


def test_a_resample_without_a_score_does_not_spoil_the_interval() -> None:
    truth = np.array([0, 1, 1])
    given = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
    groups = np.array(["a", "b", "c"], object)
    random = np.random.default_rng(0)
    interval = bootstrap_interval(METRICS["auc"], truth, given, groups, random, 40)
    assert interval == Interval(1.0, 1.0, 1.0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", METRICS.names())
def test_every_metric_can_be_resampled_without_a_warning(
    name: str, method: Literal["percentile", "bca"]
) -> None:
    truth = np.array([0, 1, 2, 2])
    given = np.array([[0.6, 0.3, 0.1], [0.1, 0.2, 0.7], [0.1, 0.1, 0.8], [0.5, 0.3, 0.2]])
    groups = np.array(["a", "b", "c", "c"], object)
    random = np.random.default_rng(0)
    interval = bootstrap_interval(METRICS[name], truth, given, groups, random, 60, method)
    assert interval.low <= interval.high


def bca_of(
    metric: Metric, values: list[float], groups: list[str] | None = None, resamples: int = 600
) -> Interval:
    given = np.array(values)[:, None]
    names = np.array(groups or [f"g{i:03}" for i in range(len(values))], object)
    return bootstrap_interval(
        metric, np.zeros(len(values), np.intp), given, names, np.random.default_rng(0), resamples,
        "bca",
    )  # fmt: skip


@pytest.mark.parametrize("metric", [MEAN, VARIANCE, SHARE_RIGHT])
@pytest.mark.parametrize("seed", [0, 1])
def test_bca_of_single_images_is_scipys(metric: Metric, seed: int) -> None:
    random = np.random.default_rng(seed)
    truth, images = random.integers(2, size=40), np.arange(40)
    given = random.exponential(size=(40, 2))
    groups = np.array([f"g{i:02}" for i in images], object)
    interval = bootstrap_interval(
        metric, truth, given, groups, np.random.default_rng(5), 700, "bca"
    )
    expected = bootstrap(
        (images,),
        lambda rows: metric(truth[rows], given[rows]),
        n_resamples=700,
        vectorized=False,
        method="BCa",
        rng=np.random.default_rng(5),
    ).confidence_interval
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))


def test_bca_of_groups_of_equal_images_is_that_of_single_ones() -> None:
    values = np.random.default_rng(0).exponential(size=20).tolist()
    tripled = [value for value in values for _ in range(3)]
    groups = [f"g{i // 3:03}" for i in range(60)]
    of_groups, of_images = bca_of(MEAN, tripled, groups), bca_of(MEAN, values)
    assert of_groups.low == pytest.approx(of_images.low)
    assert of_groups.high == pytest.approx(of_images.high)


def test_bca_moves_towards_the_long_tail() -> None:
    values = np.random.default_rng(0).exponential(size=30).tolist()
    truth, given = np.zeros(30, np.intp), np.array(values)[:, None]
    groups = np.array([f"g{i:03}" for i in range(30)], object)
    plain = bootstrap_interval(MEAN, truth, given, groups, np.random.default_rng(0), 600)
    corrected = bca_of(MEAN, values)
    assert corrected.score == plain.score
    assert corrected.low > plain.low
    assert corrected.high > plain.high


def test_bca_of_a_constant_is_a_point() -> None:
    assert bca_of(MEAN, [0.5] * 8, resamples=20) == Interval(0.5, 0.5, 0.5)


def test_without_a_resample_on_one_side_of_the_score_bca_is_the_percentile() -> None:
    # The largest value of a resample is never above that of all images.
    values = [1.0, 2.0, 3.0, 4.0]
    largest = Metric("largest", lambda truth, given: float(given.max()))
    shifted = Metric("shifted", lambda truth, given: float(given.max()) - (len(given) == 4))
    drawn = bca_of(largest, values, resamples=50)
    assert drawn.low <= drawn.high == 4.0
    assert bca_of(shifted, values, list("aabc"), 50).low <= 4.0


@pytest.mark.parametrize("method", METHODS)
def test_a_score_that_is_never_a_number_has_no_bounds(
    method: Literal["percentile", "bca"],
) -> None:
    truth, given = np.zeros(3, np.intp), one_hot([0, 1, 1])
    groups = np.array(["a", "b", "c"], object)
    interval = bootstrap_interval(
        METRICS["auc"], truth, given, groups, np.random.default_rng(0), 20, method
    )
    assert np.isnan([interval.score, interval.low, interval.high]).all()
