"""Predictions are the mean of views, of folds and of runs; rows come back in the order given."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from kagglecxr.core.deadline import Deadline
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import read_run
from kagglecxr.inference import predictor, traced_models
from kagglecxr.inference.members import Member, make_member, rebuild_model
from kagglecxr.inference.novelty import load_novelties
from kagglecxr.inference.predictor import Predictor
from kagglecxr.inference.view_passes import predict_views
from kagglecxr.models.feature_maps import add_pooled_features
from tests.conftest import SIZE, PreparedDemo, copy_demo
from tests.inference.random_runs import add_novelty, random_run

IMAGES = np.random.default_rng(1).integers(0, 256, (5, SIZE, SIZE), np.uint8)
ROWS = np.array([3, 0, 3, 4])


@pytest.fixture(scope="module")
def own(demo: PreparedDemo, tmp_path_factory: pytest.TempPathFactory) -> PreparedDemo:
    return copy_demo(demo, tmp_path_factory.mktemp("predictor"))


@pytest.fixture(scope="module")
def members(own: PreparedDemo) -> list[Member]:
    """A run of two folds and two views, and one of a single fold and view."""
    runs = [
        random_run(own, "two", seed=1),
        random_run(own, "one", seed=2, folds=1, views=["hflip"]),
    ]
    return [make_member(run, read_run(run)) for run in runs]


@pytest.fixture(scope="module")
def by_hand(members: list[Member]) -> list[npt.NDArray[np.float32]]:
    """The mean of each run, of one call of each model on each array."""
    images, flipped = IMAGES[ROWS][..., None], IMAGES[ROWS][:, :, ::-1, None]
    first, second = (members[0].load_model(fold) for fold in (0, 1))
    four = [model(pixels) for model in (first, second) for pixels in (images, flipped)]
    return [np.mean(four, axis=0), np.asarray(members[1].load_model(0)(flipped))]


def test_the_mean_of_runs_folds_and_views_is_that_computed_by_hand(
    members: list[Member], by_hand: list[npt.NDArray[np.float32]]
) -> None:
    output = Predictor(members).predict(IMAGES, ROWS)
    np.testing.assert_allclose(output.probabilities, np.mean(by_hand, axis=0), atol=1e-6)
    assert np.ptp(output.probabilities, axis=0).max() > 0.02
    assert (output.folds, output.of) == (3, 3)


def test_runs_can_be_combined_otherwise_than_by_their_mean(
    members: list[Member], by_hand: list[npt.NDArray[np.float32]]
) -> None:
    output = Predictor(members, lambda runs: 0.25 * runs[0] + 0.75 * runs[1]).predict(IMAGES, ROWS)
    expected = 0.25 * by_hand[0] + 0.75 * by_hand[1]
    np.testing.assert_allclose(output.probabilities, expected, atol=1e-6)


def test_each_run_can_be_had_by_itself(
    members: list[Member], by_hand: list[npt.NDArray[np.float32]]
) -> None:
    runs = list(Predictor(members).predict_runs(IMAGES, ROWS, Silent()))
    assert [member for member, _ in runs] == members
    for (_, probabilities), expected in zip(runs, by_hand, strict=True):
        np.testing.assert_allclose(probabilities, expected, atol=1e-6)


def test_all_rows_of_the_images_of_each_member_are_predicted_where_none_are_named(
    members: list[Member],
) -> None:
    images = {"two": IMAGES[:3], "one": IMAGES[2:]}
    output = Predictor(members).predict(lambda member: images[member.record.name])
    alone = [Predictor([m]).predict(images[m.record.name]).probabilities for m in members]
    np.testing.assert_array_equal(output.probabilities, np.mean(alone, axis=0))


@pytest.mark.parametrize(("seconds", "folds"), [(10.0, 2), (7.0, 1), (-5.0, 1), (12.0, 3)])
def test_folds_that_there_is_no_time_for_are_left_out_but_never_the_first(
    members: list[Member], monkeypatch: pytest.MonkeyPatch, seconds: float, folds: int
) -> None:
    now = 0.0

    def three_seconds(
        function: object, images: object, rows: object, views: list[str]
    ) -> dict[str, list[npt.NDArray[np.float32]]]:
        nonlocal now
        now += 3.0
        return {view: [np.full((len(IMAGES), 4), now, np.float32)] for view in views}

    monkeypatch.setattr(predictor, "predict_in_batches", three_seconds)
    for module in ("core.deadline", "inference.predictor"):
        monkeypatch.setattr(f"kagglecxr.{module}.monotonic", lambda: now)
    output = Predictor(members).predict(IMAGES, deadline=Deadline.within(seconds))
    assert (output.folds, output.of) == (folds, 3)
    # A run of which no fold has predicted does not count.
    assert output.probabilities[0, 0] == {1: 3.0, 2: 4.5, 3: (4.5 + 9.0) / 2}[folds]


def test_a_model_is_built_once_for_its_folds_runs_and_later_calls(
    own: PreparedDemo, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = random_run(own, "same", seed=7, folds=1)
    members = [make_member(run, read_run(run)) for run in (own.workspace.runs / "two", run)]
    expected = [Predictor([member]).predict(IMAGES).probabilities for member in members]
    built = []

    def counted(*arguments: Any) -> keras.Model:
        built.append(arguments)
        return rebuild_model(*arguments)

    monkeypatch.setattr(traced_models, "rebuild_model", counted)
    both = Predictor(members)
    for _ in range(2):
        outputs = [run for _, run in both.predict_runs(IMAGES, np.arange(len(IMAGES)), Silent())]
        np.testing.assert_allclose(outputs, expected, atol=1e-6)
    assert len(built) == 1


@pytest.mark.parametrize(("kept", "built"), [(10**9, 2), (0, 4)])
def test_models_are_kept_while_they_are_small(
    members: list[Member], monkeypatch: pytest.MonkeyPatch, kept: int, built: int
) -> None:
    wide = {**members[1].record.recipe, "model_options": {"width": 4, "dropout": 0.1}}
    other = dataclasses.replace(
        members[1], record=dataclasses.replace(members[1].record, recipe=wide)
    )
    calls = []

    def counted(*arguments: Any) -> keras.Model:
        calls.append(arguments)
        return rebuild_model(*arguments)

    monkeypatch.setattr(traced_models, "rebuild_model", counted)
    monkeypatch.setattr(traced_models, "KEPT_PARAMETERS", kept)
    both = Predictor([members[0], other])
    for _ in range(2):
        both.predict(IMAGES)
    assert len(calls) == built


def test_folds_on_one_frozen_trunk_run_it_once_for_each_batch_and_view(
    own: PreparedDemo, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [
        random_run(own, "frozen", seed=3, trainable="head"),
        random_run(own, "whole", seed=4, folds=1),
        random_run(own, "frozen-too", seed=5, folds=1, trainable="head", views=["hflip"]),
    ]
    members = [make_member(run, read_run(run)) for run in runs]
    expected = [Predictor([member]).predict(IMAGES).probabilities for member in members[1:]]
    frozen = [
        predict_views(members[0].load_model(fold), IMAGES, np.arange(len(IMAGES)))
        for fold in (0, 1)
    ]
    expected = [np.mean(frozen, axis=0), *expected]
    assert np.abs(frozen[0] - frozen[1]).max() > 0.01

    calls = _count_calls(monkeypatch)
    monkeypatch.setattr(predictor, "BATCH_SIZE", 2)
    output = Predictor(members).predict(IMAGES)
    np.testing.assert_allclose(output.probabilities, np.mean(expected, axis=0), atol=1e-5)
    assert (output.folds, output.of) == (4, 4)
    # Three batches of two views.
    assert calls == ["trunk"] * 3 * 2


def _count_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    calls: list[str] = []
    predict_on_batch: Callable[..., object] = keras.Model.predict_on_batch

    def counted(model: keras.Model, images: npt.NDArray[np.uint8]) -> object:
        # Predictions of a whole model have a column for each of the four targets.
        if model.output_shape[-1] != 4:
            calls.append("trunk")
        return predict_on_batch(model, images)

    monkeypatch.setattr(keras.Model, "predict_on_batch", counted)
    return calls


@pytest.mark.slow
def test_frozen_trunks_of_other_weights_are_not_shared(
    own: PreparedDemo, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = random_run(own, "frozen-apart", seed=6, trainable="head")
    member = make_member(run, read_run(run))
    model = member.load_model(1)
    first = next(layer for layer in model.layers if layer.weights)
    first.set_weights([2 * array for array in first.get_weights()])
    model.save_weights(run / "fold-1" / "model.weights.h5")
    calls = _count_calls(monkeypatch)
    output = Predictor([member]).predict(IMAGES)
    folds = [
        predict_views(member.load_model(fold), IMAGES, np.arange(len(IMAGES))) for fold in (0, 1)
    ]
    np.testing.assert_array_equal(output.probabilities, np.mean(folds, axis=0))
    assert calls == []


@pytest.mark.parametrize(
    ("views", "trainable"),
    [(["hflip"], "all"), pytest.param(["identity", "hflip"], "head", marks=pytest.mark.slow)],
)
def test_novelty_is_the_mean_over_the_folds_that_know_of_the_image_as_it_is(
    own: PreparedDemo, members: list[Member], views: list[str], trainable: str
) -> None:
    run = random_run(own, f"novel-{trainable}", seed=8, views=views, trainable=trainable)
    add_novelty(own, run)
    both = [make_member(run, read_run(run)), members[1]]
    novelties = load_novelties(both)
    assert list(novelties) == [(0, 0), (0, 1)]
    scores = []
    for (_, fold), novelty in novelties.items():
        whole = add_pooled_features(both[0].load_model(fold))
        scores.append(novelty.scores(whole.predict_on_batch(IMAGES[..., None])[1:]))
    output = Predictor(both, novelties=novelties).predict(IMAGES)
    assert output.novelty is not None
    np.testing.assert_allclose(output.novelty, np.mean(scores, axis=0), rtol=1e-3)
    plain = Predictor(both).predict(IMAGES)
    assert plain.novelty is None
    np.testing.assert_allclose(output.probabilities, plain.probabilities, atol=1e-5)
