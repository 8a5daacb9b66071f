"""An image is explained by the folds that did not learn from it."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from kagglecxr.core.errors import SettingError
from kagglecxr.core.progress import Silent
from kagglecxr.data.index import write_folds
from kagglecxr.inference.members import Member, member_for_files
from kagglecxr.saliency.explain_members import (
    ImagesToExplain,
    check_classifiers,
    explain_members,
)
from kagglecxr.saliency.explained_model import ExplainedModel
from kagglecxr.saliency.gradients import gradients
from kagglecxr.saliency.methods import METHODS, SaliencyMethod
from tests.conftest import PreparedDemo, copy_demo
from tests.inference.random_runs import random_run
from tests.notes import Notes

CHOSEN = {"gradients": METHODS["gradients"]}


@pytest.fixture(scope="module")
def own(demo: PreparedDemo, tmp_path_factory: pytest.TempPathFactory) -> PreparedDemo:
    return copy_demo(demo, tmp_path_factory.mktemp("explained"))


@pytest.fixture(scope="module")
def members(own: PreparedDemo) -> list[Member]:
    """Two runs of two folds: of three images the last is none of those learned from."""
    runs = [random_run(own, f"run-{seed}", seed=seed) for seed in (1, 2)]
    for run, fold_of in zip(runs, ([0, 1], [1, 1]), strict=True):
        write_folds(run / "folds.csv", own.prepared.index.ids[:2], np.array(fold_of))
    return [member_for_files(run) for run in runs]


@pytest.fixture
def images(own: PreparedDemo) -> ImagesToExplain:
    chosen = np.asarray(own.prepared.cache.images[:3])[..., None]
    return ImagesToExplain(own.prepared.index.ids[:3], chosen, np.array([0, 1, 2]))


def test_maps_are_the_mean_over_runs_of_the_right_folds(
    members: list[Member], images: ImagesToExplain
) -> None:
    found = explain_members(members, images, CHOSEN, 0, Silent())["gradients"]
    pixels = images.images.astype(np.float32)
    by_fold = [
        [gradients(ExplainedModel(m.load_model(fold)), pixels, images.targets) for fold in (0, 1)]
        for m in members
    ]
    (a0, a1), (_, b1) = by_fold
    np.testing.assert_allclose(found[0], (a0[0] + b1[0]) / 2, rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(found[1], (a1[1] + b1[1]) / 2, rtol=1e-3, atol=1e-7)
    means = [np.mean([maps[2] for maps in folds], axis=0) for folds in by_fold]
    np.testing.assert_allclose(found[2], np.mean(means, axis=0), rtol=1e-3, atol=1e-7)


def test_a_method_that_does_not_hold_is_left_out_with_its_reason(
    members: list[Member], images: ImagesToExplain
) -> None:
    def refuse(*_: object) -> np.ndarray:
        raise SettingError("There is no rule. Use gradcam.")

    refused = dataclasses.replace(METHODS["lrp_0"], maps=refuse)
    notes = Notes()
    found = explain_members(members, images, {"lrp_0": refused, **CHOSEN}, 0, notes)
    assert list(found) == ["gradients"]
    words = f"lrp_0, which is of {refused.holds_for}, is left out: There is no rule. Use gradcam."
    assert notes.told == [words]
    with pytest.raises(SettingError, match=r"None of the methods.*lrp_0\. Use gradcam"):
        explain_members(members, images, {"lrp_0": refused}, 0, notes)


def test_chance_is_that_of_the_seed(members: list[Member], images: ImagesToExplain) -> None:
    drawn = SaliencyMethod(lambda *given: given[3].random((len(given[1]), 48, 48)), "here")
    one, same, other = (
        explain_members(members, images, {"x": drawn}, seed, Silent())["x"] for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)


def test_a_run_of_masks_has_no_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "kagglecxr.saliency.explain_members.segments", lambda run: run.name == "lungs"
    )
    check_classifiers([tmp_path / "net"])
    with pytest.raises(SettingError, match=r"Received: lungs\. Name a run of train"):
        check_classifiers([tmp_path / "net", tmp_path / "lungs"])
