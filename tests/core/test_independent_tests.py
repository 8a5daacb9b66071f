"""McNemar's and DeLong's tests: by hand, by direct computation, and against MLstatkit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from kagglecxr.core.errors import DataError, SettingError
from kagglecxr.core.independent_tests import delong, mcnemar
from tests.core.decisions import Bools, Floats, decided, singles


def test_mcnemar_by_hand() -> None:
    # 8 of 10 discordant images: 2 * (C(10,8) + C(10,9) + C(10,10)) / 2^10.
    right_a = np.repeat([True, False, True, False], [8, 2, 5, 3])
    right_b = np.repeat([False, True, True, False], [8, 2, 5, 3])
    truth = np.zeros(18, np.intp)
    result = mcnemar(truth, decided(right_a), decided(right_b), singles(18))
    assert (result.only_a, result.only_b) == (8, 2)
    assert result.p_value == pytest.approx(2 * (45 + 10 + 1) / 1024)


def test_without_discordant_images_mcnemar_finds_no_difference() -> None:
    right = decided(np.array([True, False]))
    assert mcnemar(np.zeros(2, np.intp), right, right, singles(2)).p_value == 1.0


def delong_directly(is_target: Bools, a: Floats, b: Floats) -> tuple[float, float]:
    """Difference of the areas and its variance from all pairs: DeLong et al. 1988, equation 5."""
    wins = [
        np.sign(scores[is_target][:, None] - scores[~is_target][None, :]) / 2 + 0.5
        for scores in (a, b)
    ]
    by_target = np.cov(wins[0].mean(1), wins[1].mean(1))
    by_other = np.cov(wins[0].mean(0), wins[1].mean(0))
    covariance = by_target / is_target.sum() + by_other / (~is_target).sum()
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    return float(wins[0].mean() - wins[1].mean()), float(variance)


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 12), st.integers(2, 12), st.integers(2, 30), st.integers(0, 2**16))
def test_delong_is_the_direct_computation_and_the_areas_are_scikit_learns(
    targets: int, others: int, levels: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    is_target = random.permutation(np.arange(targets + others) < targets)
    a, b = (random.integers(levels, size=targets + others) / levels for _ in range(2))
    result = delong(is_target, a, b, singles(len(a)))
    assert result.a == pytest.approx(roc_auc_score(is_target, a))
    assert result.b == pytest.approx(roc_auc_score(is_target, b))
    difference, variance = delong_directly(is_target, a, b)
    assert result.gain.score == pytest.approx(difference, abs=1e-12)
    assert result.standard_error**2 == pytest.approx(variance, abs=1e-12)
    if variance > 1e-9:
        assert result.p_value == pytest.approx(2 * norm.sf(abs(difference) / variance**0.5))
        high = difference + norm.ppf(0.975) * variance**0.5
        assert result.gain.high == pytest.approx(high, abs=1e-9)


def test_delong_by_hand() -> None:
    # Shares of others below the two targets: A 1 and 1/2, B 1/2 and 1/2; of targets above the two
    # others: A 1 and 1/2, B 0 and 1. Differences 1/2, 0 and 1, -1/2: variances 1/8 and 9/8.
    is_target = np.array([True, True, False, False])
    a, b = np.array([4.0, 2.0, 1.0, 3.0]), np.array([2.0, 3.0, 4.0, 1.0])
    result = delong(is_target, a, b, singles(4))
    assert (result.a, result.b, result.gain.score) == (0.75, 0.5, 0.25)
    assert result.standard_error == pytest.approx(np.sqrt((1 / 8 + 9 / 8) / 2))


def test_delong_is_that_of_mlstatkit() -> None:
    # MLstatkit 0.1.91's Delong_test: of A and B the areas, and the p value.
    random, is_target = np.random.default_rng(7), np.arange(120) % 3 == 0
    a = np.round(random.normal(size=120) + 1.2 * is_target, 1)
    b = np.round(random.normal(size=120) + 0.5 * a + 0.6 * is_target, 1)
    result = delong(is_target, a, b, singles(120))
    assert (result.a, result.b) == pytest.approx((0.76984375, 0.72203125))
    assert result.standard_error**2 == pytest.approx(0.0025556009235029207)
    assert result.p_value == pytest.approx(0.34425546657363726)


def test_delong_is_that_of_an_installed_mlstatkit() -> None:
    mlstatkit = pytest.importorskip("MLstatkit")
    random, is_target = np.random.default_rng(3), np.arange(90) % 4 == 0
    a, b = random.normal(size=(2, 90)) + is_target
    result = delong(is_target, a, b, singles(90))
    _, p_value, area_a, area_b = mlstatkit.Delong_test(is_target, a, b, return_ci=False)
    assert (result.p_value, result.a, result.b) == pytest.approx((p_value, area_a, area_b))


def test_delong_of_equal_scores_is_sure_of_nothing() -> None:
    is_target, scores = np.array([True, True, False, False]), np.array([0.9, 0.3, 0.5, 0.1])
    assert delong(is_target, scores, scores, singles(4)).p_value == 1.0
    perfect = delong(is_target, is_target.astype(float), -is_target.astype(float), singles(4))
    assert (perfect.gain.score, perfect.standard_error) == (1.0, 0.0)
    assert np.isnan(perfect.p_value)


def test_delong_needs_two_images_of_each_kind() -> None:
    is_target = np.array([True, False, False])
    with pytest.raises(DataError, match="Received: 1 and 2"):
        delong(is_target, np.arange(3.0), np.arange(3.0), singles(3))


def test_tests_of_single_images_refuse_groups() -> None:
    groups = np.array(["a", "a", "b", "c"], object)
    given = decided(np.ones(4, bool))
    with pytest.raises(SettingError, match=r"McNemar.*4 images in 3 groups"):
        mcnemar(np.zeros(4, np.intp), given, given, groups)
    with pytest.raises(SettingError, match=r"DeLong.*4 images in 3 groups"):
        delong(np.array([True, True, False, False]), given[:, 0], given[:, 0], groups)
