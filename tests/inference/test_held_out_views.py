"""Each fold predicts its held-out images from each view, once; the file in the run is extended."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from kagglecxr.core.errors import DataError, MissingError, UnknownNameError
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import read_run
from kagglecxr.data.index import write_folds
from kagglecxr.inference.held_out_views import FILE, predict_held_out_views
from kagglecxr.inference.members import Member, make_member
from kagglecxr.inference.predictions import Predictions
from kagglecxr.inference.predictor import Predictor
from kagglecxr.inference.tta import VIEW_SETS
from kagglecxr.inference.view_passes import predict_views
from tests.conftest import PreparedDemo, copy_demo
from tests.inference.random_runs import random_run


@pytest.fixture(scope="module")
def own(demo: PreparedDemo, tmp_path_factory: pytest.TempPathFactory) -> PreparedDemo:
    return copy_demo(demo, tmp_path_factory.mktemp("held-out"))


@pytest.fixture(scope="module")
def trained(own: PreparedDemo) -> Member:
    run = random_run(own, "run", seed=1, folds=3)
    write_folds(run / "folds.csv", train_ids(own), own.prepared.fold)
    return make_member(run, read_run(run))


@pytest.fixture
def member(trained: Member) -> Member:
    """A run whose held-out images have not been predicted yet."""
    (trained.run / FILE).unlink(missing_ok=True)
    return trained


def train_ids(own: PreparedDemo) -> list[str]:
    index = own.prepared.index
    return index.column("id", index.rows("train"))


def predict(own: PreparedDemo, member: Member, views: Sequence[str]) -> Predictions:
    return predict_held_out_views(member, own.prepared, own.workspace, views, Silent())


def test_each_fold_predicts_what_it_has_not_seen_and_views_are_averaged(
    own: PreparedDemo, member: Member
) -> None:
    held_out = predict(own, member, ["hflip_zoom"])
    images, rows = own.prepared.cache.images, own.prepared.index.rows("train")
    both, hflip = held_out.of_views(["identity", "hflip"]), held_out.from_view("hflip")
    assert both.ids.tolist() == train_ids(own)
    np.testing.assert_array_equal(both.truth, own.prepared.target_ids())
    for fold in range(3):
        part = own.prepared.fold == fold
        model = member.load_model(fold)
        for predictions, views in ((both, ["identity", "hflip"]), (hflip, ["hflip"])):
            expected = predict_views(model, images, rows[part], views=views)
            np.testing.assert_allclose(predictions.probabilities[part], expected, atol=1e-6)
    assert np.abs(both.probabilities - hflip.probabilities).max() > 0.01
    assert list(held_out.by_view) == list(VIEW_SETS["hflip_zoom"])


def test_only_views_that_are_missing_are_predicted(
    own: PreparedDemo, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = predict(own, member, ["hflip"])
    seen: list[str] = []

    def counted(predictor: Predictor, *arguments: object) -> object:
        seen.extend(view for each in predictor.members for view in each.views)
        return predict_runs(predictor, *arguments)

    predict_runs = Predictor.predict_runs
    monkeypatch.setattr(Predictor, "predict_runs", counted)
    extended = predict(own, member, ["identity", "hflip"])
    assert seen == ["identity"] * 3
    again = predict(own, member, ["none", "hflip"])
    assert seen == ["identity"] * 3
    for view in ("identity", "hflip"):
        one, other = (found.by_view[view] for found in (extended, again))
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(first.probabilities, extended.by_view["hflip"])


@pytest.mark.parametrize("damage", ["other images", "other labels", "half a file"])
def test_a_file_of_other_images_or_a_damaged_one_is_renewed(
    own: PreparedDemo, member: Member, damage: str
) -> None:
    first = predict(own, member, ["none"])
    if damage == "half a file":
        (member.run / FILE).write_bytes((member.run / FILE).read_bytes()[:200])
    else:
        by_view = {"identity": np.zeros_like(first.probabilities)}
        other = replace(first, by_view=by_view)
        if damage == "other images":
            other = replace(other, ids=np.char.add(first.ids, "x"))
        else:
            other = replace(other, truth=first.truth[::-1])
        other.save(member.run / FILE)
    again = predict(own, member, ["none"])
    np.testing.assert_array_equal(again.probabilities, first.probabilities)
    kept = Predictions.load(member.run / FILE)
    np.testing.assert_array_equal(kept.by_view["identity"], first.probabilities)


def test_a_run_that_has_seen_all_images_is_refused(own: PreparedDemo, member: Member) -> None:
    run = random_run(own, "soup", folds=1)
    soup = make_member(run, read_run(run))
    with pytest.raises(MissingError, match=r"folds\.csv"):
        predict(own, soup, ["none"])
    write_folds(run / "folds.csv", train_ids(own), own.prepared.fold)
    with pytest.raises(DataError, match=r"soup with weights of 1 folds, and 3 folds"):
        predict(own, soup, ["none"])
    with pytest.raises(UnknownNameError, match="sideways"):
        predict(own, member, ["sideways"])
