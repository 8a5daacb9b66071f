"""The choice of a blend: nested scores, the best single run, and what is said of it."""

import dataclasses

import numpy as np
import pytest

from kagglecxr.core.errors import UnknownNameError
from kagglecxr.core.metrics import METRICS
from kagglecxr.ensembling.blend_selection import (
    BlendScore,
    ChosenBlend,
    OutOfFold,
    blend_table,
    choose_blend,
)
from kagglecxr.ensembling.blenders import BLENDERS
from tests.ensembling.made_runs import made_out_of_fold

ACCURACY, LOG_LOSS = METRICS["balanced_accuracy"], METRICS["log_loss"]


def score_of(judged: list[BlendScore], method: str) -> BlendScore:
    return next(one for one in judged if one.method == method)


def choose(oof: OutOfFold, method: str = "auto", metric: str = "log_loss") -> ChosenBlend:
    return choose_blend(oof, METRICS[metric], method, np.random.default_rng(0))


@pytest.fixture(scope="module")
def two() -> OutOfFold:
    return made_out_of_fold((0.8, 1.0), images=100)


@pytest.fixture(scope="module")
def of_two(two: OutOfFold) -> ChosenBlend:
    return choose(two)


def test_runs_that_err_apart_are_blended() -> None:
    oof = made_out_of_fold((1.5, 1.5, 1.5), common=0.0, images=200)
    chosen = choose(oof, metric="balanced_accuracy")
    assert chosen.method in BLENDERS
    assert len(chosen.blend.used) == 3
    assert chosen.nested.gain.low > 0
    assert "more than luck" in chosen.sentence
    assert f"{chosen.judged[0].gain.score:+.4f} balanced accuracy over" in chosen.sentence


def test_a_run_that_the_others_can_only_spoil_predicts_alone() -> None:
    oof = made_out_of_fold((0.0,), common=0.0, images=100)
    noise = np.random.default_rng(0).dirichlet(np.ones(3), (2, len(oof.truth)))
    oof = dataclasses.replace(
        oof, names=["good", "bad", "worse"], runs=np.stack([oof.runs[0], *noise])
    )
    chosen = choose(oof, metric="balanced_accuracy")
    assert chosen.method == "best"
    assert chosen.blend.used == [0]
    assert chosen.sentence.startswith("No blend beats good alone out of fold")


def test_a_single_run_needs_no_choice() -> None:
    chosen = choose(made_out_of_fold((1.0,)))
    assert (chosen.method, chosen.blend.used) == ("best", [0])
    assert chosen.sentence == "run-0 predicts alone."


def test_the_best_single_run_may_be_asked_for() -> None:
    oof = made_out_of_fold((1.5, 0.5, 1.5))
    assert choose(oof, "best").blend.used == [1]
    assert oof.best(LOG_LOSS) == oof.best(ACCURACY) == 1


def test_a_method_that_is_named_is_taken_and_judged_alone() -> None:
    chosen = choose(made_out_of_fold((0.5, 3.0)), "rank_mean")
    assert [one.method for one in chosen.judged] == ["rank_mean"]
    assert chosen.method == "rank_mean"
    for runs in ((0.5,), (0.5, 1.0)):
        with pytest.raises(UnknownNameError, match="greedy"):
            choose(made_out_of_fold(runs), "greedi")


def test_a_fold_has_no_part_in_what_is_fitted_for_it(two: OutOfFold) -> None:
    before = choose(two, "stacking").nested.probabilities
    own = two.fold == 2
    changed = two.truth.copy()
    changed[own] = (changed[own] + 1) % 3
    after = choose(dataclasses.replace(two, truth=changed), "stacking").nested.probabilities
    np.testing.assert_array_equal(after[own], before[own])
    assert not np.allclose(after[~own], before[~own])


def test_means_are_nested_as_they_are(two: OutOfFold, of_two: ChosenBlend) -> None:
    mean = score_of(of_two.judged, "mean")
    assert mean.score == pytest.approx(LOG_LOSS(two.truth, two.runs.mean(axis=0)), abs=1e-6)
    single = min(two.scores(LOG_LOSS))
    assert mean.gain.score == pytest.approx(single - mean.score, abs=1e-6)


def test_the_choice_itself_is_nested(two: OutOfFold, of_two: ChosenBlend) -> None:
    assert of_two.nested.method == "auto"
    # No better than the method that is the best in hindsight, but for rounding.
    assert of_two.nested.score >= of_two.judged[0].score - 1e-6
    of_halves = choose(dataclasses.replace(two, fold=two.fold % 2))
    own = score_of(of_halves.judged, of_halves.method)
    np.testing.assert_array_equal(of_halves.nested.probabilities, own.probabilities)


def test_the_table_has_runs_and_methods(two: OutOfFold, of_two: ChosenBlend) -> None:
    table = blend_table(of_two, two, LOG_LOSS)
    methods = ["run-0", "run-1", *(one.method for one in of_two.judged), "auto"]
    assert table["method"].tolist() == methods
    assert table["log_loss"][0] == f"{two.scores(LOG_LOSS)[0]:.4f}"
    assert (table["gain"][:2] == "").all()
    alone = made_out_of_fold((0.8,), images=60)
    assert blend_table(choose(alone), alone, LOG_LOSS)["method"].tolist() == ["run-0"]
