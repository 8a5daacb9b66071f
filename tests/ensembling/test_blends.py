"""Fitted blends: by hand, for a single image, and through JSON."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import gmean, rankdata

from kagglecxr.ensembling.blends import (
    StackedBlend,
    WeightedBlend,
    column_quantiles,
    equal_blend,
    read_blend,
    single_blend,
)
from tests.ensembling.made_runs import made_out_of_fold

ONE, OTHER = np.array([[0.9, 0.1], [0.4, 0.6]]), np.array([[0.5, 0.5], [0.2, 0.8]])


def test_a_weighted_mean_by_hand() -> None:
    blended = WeightedBlend([0.75, 0.25])([ONE, OTHER])
    np.testing.assert_allclose(blended, [[0.8, 0.2], [0.35, 0.65]], atol=1e-6)
    assert blended.dtype == np.float32


def test_the_mean_of_logarithms_is_the_geometric_mean() -> None:
    blended = equal_blend(2, scale="logit")([ONE, OTHER])
    mean = gmean([ONE, OTHER])
    np.testing.assert_allclose(blended, mean / mean.sum(axis=1, keepdims=True), atol=1e-6)
    # By hand: sqrt(0.45) : sqrt(0.05) is 3 : 1.
    np.testing.assert_allclose(blended[0], [0.75, 0.25], atol=1e-6)


def test_ranks_are_those_among_the_predictions_it_was_fitted_on() -> None:
    first = np.linspace(0.0, 0.1, 201)
    run = np.stack([first, 1.0 - first], axis=1)
    blend = WeightedBlend([1.0], "rank", column_quantiles(run[None]))
    ranks = (rankdata(first) - 0.5) / len(first)
    np.testing.assert_allclose(blend([run])[:, 0], ranks, atol=0.005)
    # A single image has the same rank as among many.
    np.testing.assert_allclose(blend([run[50:51]]), blend([run])[50:51])
    np.testing.assert_allclose(blend([np.array([[0.5, 0.5]])]), [[1.0, 0.0]], atol=1e-6)


def test_the_mean_of_ranks_keeps_the_order_within_a_target() -> None:
    run = made_out_of_fold((1.0,), images=50).runs
    blend = WeightedBlend([1.0], "rank", column_quantiles(run))
    for target, column in enumerate(blend([run[0]]).T):
        order = np.argsort(run[0][:, target])
        assert (np.diff(column[order]) >= 0).all()
        assert column.max() <= 1 / 3


def test_equal_predictions_have_the_rank_in_their_middle() -> None:
    run = np.array([[0.2, 0.8]] * 10)
    blend = WeightedBlend([1.0], "rank", column_quantiles(run[None]))
    np.testing.assert_allclose(blend([run]), np.full((10, 2), 0.5))


def test_stacking_by_hand() -> None:
    # The logit of the first target is the logarithm of its probability in the second run, twice.
    blend = StackedBlend([[0.0, 0.0, 2.0, 0.0], [0.0, 0.0, 0.0, 2.0]], [0.0, 0.0])
    expected = OTHER**2 / (OTHER**2).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(blend([ONE, OTHER]), expected, atol=1e-6)
    assert blend.used == [0, 1]


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.sampled_from(["probability", "logit", "rank"]))
def test_rows_sum_to_1_and_runs_without_weight_have_no_part(seed: int, scale: str) -> None:
    runs = made_out_of_fold((0.5, 1.0, 2.0), images=30, seed=seed).runs
    quantiles = column_quantiles(runs) if scale == "rank" else ()
    blend = WeightedBlend([0.4, 0.0, 0.6], scale, quantiles)  # type: ignore[arg-type]
    blended = blend(list(runs))
    if scale != "rank":
        np.testing.assert_allclose(blended.sum(axis=1), 1.0, atol=1e-5)
    assert blend.used == [0, 2]
    np.testing.assert_allclose(blend.of_used()([runs[0], runs[2]]), blended, atol=1e-6)


def test_one_run_alone_is_itself() -> None:
    np.testing.assert_allclose(single_blend(2, 1)([ONE, OTHER]), OTHER, atol=1e-6)
    assert single_blend(2, 1).used == [1]
    assert single_blend(2, 1).of_used().is_mean


def test_only_the_mean_of_probabilities_is_a_mean() -> None:
    assert equal_blend(3).is_mean
    assert not equal_blend(3, scale="logit").is_mean
    assert not WeightedBlend([0.4, 0.6]).is_mean


@pytest.mark.parametrize(
    "blend",
    [
        WeightedBlend([0.25, 0.75], "logit"),
        WeightedBlend([0.5, 0.5], "rank", column_quantiles(np.stack([ONE, OTHER]))),
        StackedBlend([[0.0, 1.0, 2.0, 0.0], [0.5, 0.0, 0.0, 2.0]], [0.5, -0.5]),
    ],
)
def test_json_keeps_a_blend(blend: WeightedBlend | StackedBlend) -> None:
    again = read_blend(json.loads(json.dumps(asdict(blend))))
    np.testing.assert_array_equal(again([ONE, OTHER]), blend([ONE, OTHER]))
    with pytest.raises(TypeError):
        read_blend({"runs": []})


def test_findings_are_blended_by_their_log_odds() -> None:
    blended = equal_blend(2, "sigmoid", "logit")([np.array([[0.9, 0.5]]), np.array([[0.5, 0.2]])])
    # By hand: odds 9 and 1 have the geometric mean 3, odds 1 and 1/4 have 1/2.
    np.testing.assert_allclose(blended, [[0.75, 1 / 3]], atol=1e-6)
    ranked = WeightedBlend([1.0], "rank", [[[0.0, 0.5, 1.0]] * 3], "sigmoid")
    np.testing.assert_allclose(
        ranked([np.array([[0.75, 0.1, 1.0]])]), [[2 / 3, 1 / 3, 5 / 6]], atol=1e-6
    )
