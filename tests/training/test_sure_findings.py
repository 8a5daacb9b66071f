"""Which findings are sure: by how often such predictions are right, and never by being rare."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from kagglecxr.training.sure_findings import FEWEST, SURE, sure_findings


def draw(
    random: np.random.Generator, images: int, *, share: float = 0.3, told: float = 3.0
) -> tuple[np.ndarray, np.ndarray]:
    """Truth (N, 1) and its log-odds by a model that tells it apart by so many deviations."""
    truth = (random.random((images, 1)) < share).astype(np.float64)
    prior = np.log(share / (1 - share))
    # Of two normal distributions at 0 and `told` these are the true log-odds.
    score = random.normal(size=truth.shape) + told * truth
    return truth, prior + told * (score - told / 2)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1000), st.floats(0.05, 0.6), st.floats(0, 4), st.floats(0.3, 3))
def test_what_is_used_is_sure_and_of_both_kinds(
    seed: int, share: float, told: float, confidence: float
) -> None:
    random = np.random.default_rng(seed)
    truth, odds = draw(random, 300, share=share, told=told)
    truth[random.random(truth.shape) < 0.1] = np.nan
    _, new = draw(random, 100, share=share, told=told)
    labels = sure_findings(expit(confidence * odds), truth, expit(confidence * new))[:, 0]
    used = labels[~np.isnan(labels)]
    assert ((used >= SURE) | (used <= 1 - SURE)).all()
    assert not len(used) or ((used >= SURE).any() and (used <= 1 - SURE).any())
    order = np.argsort(new[:, 0])
    there = np.flatnonzero(labels[order] >= SURE)
    assert not len(there) or len(there) == len(order) - there[0]


@pytest.mark.parametrize("confidence", [0.3, 1.0, 4.0])
def test_labels_are_right_as_often_as_they_say_however_sure_the_model_is(
    confidence: float,
) -> None:
    random = np.random.default_rng(0)
    truth, odds = draw(random, 2000)
    new_truth, new = draw(random, 2000)
    labels = sure_findings(expit(confidence * odds), truth, expit(confidence * new))
    there, absent = labels >= SURE, labels <= 1 - SURE
    assert there.sum() > 200
    assert absent.sum() > 800
    assert new_truth[there].mean() == pytest.approx(labels[there].mean(), abs=0.03)
    assert new_truth[absent].mean() == pytest.approx(labels[absent].mean(), abs=0.03)


def test_a_rare_finding_is_not_absent_for_being_rare() -> None:
    random = np.random.default_rng(1)
    truth, odds = draw(random, 2000, share=0.03, told=0.0)
    assert np.isnan(sure_findings(expit(odds + random.normal(size=odds.shape)), truth, odds)).all()
    truth, odds = draw(random, 4000, share=0.03, told=4.0)
    labels = sure_findings(expit(odds), truth, expit(odds))
    absent = labels <= 1 - SURE
    assert labels[absent].max() <= truth.mean() / 2
    assert truth[absent].mean() < 0.01


def test_a_model_that_takes_it_the_wrong_way_round_labels_nothing() -> None:
    truth, odds = draw(np.random.default_rng(2), 500)
    assert np.isnan(sure_findings(expit(-odds), truth, expit(odds))).all()


def test_a_finding_of_too_few_images_is_left_alone_and_the_others_are_not() -> None:
    random = np.random.default_rng(3)
    truth, odds = (np.tile(table, (1, 2)) for table in draw(random, 500))
    there = np.flatnonzero(truth[:, 1] == 1)
    truth[there[FEWEST - 1 :], 1] = np.nan
    labels = sure_findings(expit(odds), truth, expit(odds))
    assert np.isnan(labels[:, 1]).all()
    assert not np.isnan(labels[:, 0]).all()
