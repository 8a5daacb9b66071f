"""Softmax and sigmoid: there and back, likelihoods by hand and by finite differences."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kagglecxr.core.finding_metrics import FINDING_METRICS
from kagglecxr.core.metrics import METRICS, Truth
from kagglecxr.ensembling.activations import ACTIVATIONS, ActivationName, activation_of

NAMES: tuple[ActivationName, ...] = ("softmax", "sigmoid")
NAN = np.nan


def drawn(name: ActivationName, seed: int) -> tuple[np.ndarray, Truth]:
    random = np.random.default_rng(seed)
    scores = random.normal(size=(12, 3))
    if name == "softmax":
        return scores, random.integers(0, 3, 12)
    return scores, random.choice([0.0, 1.0, NAN], size=(12, 3))


@pytest.mark.parametrize("name", NAMES)
def test_scores_of_probabilities_have_those_probabilities(name: ActivationName) -> None:
    activation, (scores, truth) = ACTIVATIONS[name], drawn(name, 0)
    probabilities = activation(scores)
    np.testing.assert_allclose(activation(activation.scores(probabilities)), probabilities)
    assert np.isfinite(activation.scores(np.array([[0.0, 1.0]]))).all()
    assert activation_of(truth) == name


def test_of_classes_rows_sum_to_1_and_of_findings_each_is_by_itself() -> None:
    scores = np.array([[0.0, np.log(3.0)]])
    np.testing.assert_allclose(ACTIVATIONS["softmax"](scores), [[0.25, 0.75]])
    np.testing.assert_allclose(ACTIVATIONS["sigmoid"](scores), [[0.5, 0.75]])


@settings(deadline=None, max_examples=20)
@given(st.sampled_from(NAMES), st.integers(0, 1000))
def test_the_gradient_is_that_of_the_likelihood(name: ActivationName, seed: int) -> None:
    activation, (scores, truth) = ACTIVATIONS[name], drawn(name, seed)
    value, gradient = activation.log_likelihood(scores, truth)
    sure = activation.of_truth(activation(scores), truth)
    assert value == pytest.approx(np.log(sure).sum())
    step = np.zeros_like(scores)
    step[3, 1] = 1e-6
    after, _ = activation.log_likelihood(scores + step, truth)
    assert (after - value) / 1e-6 == pytest.approx(gradient[3, 1], abs=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_the_likelihood_is_that_of_the_log_loss(name: ActivationName) -> None:
    activation, (scores, truth) = ACTIVATIONS[name], drawn(name, 1)
    metric = (METRICS if name == "softmax" else FINDING_METRICS)["log_loss"]
    cells = len(activation.kinds(truth))
    value, _ = activation.log_likelihood(scores, truth)
    assert -value / cells == pytest.approx(metric(truth, activation(scores)))


@settings(deadline=None, max_examples=20)
@given(st.sampled_from(NAMES), st.integers(0, 1000))
def test_weights_are_added_to_scores_as_logarithms(name: ActivationName, seed: int) -> None:
    activation, (scores, _) = ACTIVATIONS[name], drawn(name, seed)
    weights = np.array([0.2, 1.0, 3.0])
    weighed = activation.weigh(activation(scores), weights)
    np.testing.assert_allclose(weighed, activation(scores + np.log(weights)))


def test_kinds_and_what_is_true_by_hand() -> None:
    truth, sigmoid = np.array([[1.0, NAN], [0.0, 1.0]]), ACTIVATIONS["sigmoid"]
    probabilities = np.array([[0.9, 0.5], [0.2, 0.4]])
    np.testing.assert_allclose(sigmoid.of_truth(probabilities, truth), [0.9, 0.8, 0.4])
    assert sigmoid.kinds(truth).tolist() == [1, 0, 3]
    softmax, ids = ACTIVATIONS["softmax"], np.array([1, 0])
    np.testing.assert_allclose(softmax.of_truth(probabilities, ids), [0.5, 0.2])
    assert softmax.kinds(ids).tolist() == [1, 0]
