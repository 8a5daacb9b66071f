"""A student learns from sure masks of images without one, where left-out sources gain by it."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from kagglecxr.core.errors import DataError, MissingError
from kagglecxr.core.progress import Silent
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.data.index import Index
from kagglecxr.data.masked import MaskedData, with_unmasked
from kagglecxr.segmentation import pseudo_masks
from kagglecxr.segmentation.mask_standards import MaskStandards
from kagglecxr.segmentation.pseudo_masks import MaskTeacher, train_with_pseudo_masks
from kagglecxr.training.recipe import make_recipe
from kagglecxr.training.run import RunOptions
from kagglecxr.training.run_spec import RunSpec
from kagglecxr.training.tasks import make_task
from tests.segmentation.conftest import SIZE, MaskedFolder
from tests.segmentation.mask_runs import MASKS, mask_run, predict_without_models

PIPELINE = Pipeline.parse("gray | resize", SIZE)


@pytest.fixture(autouse=True)
def _without_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    predict_without_models(monkeypatch)
    # All masks are sure.
    usual = dict.fromkeys(
        ("area", "parts", "symmetry", "certainty", "agreement"), (-np.inf, np.inf)
    )
    of_run = MaskStandards.of_run
    monkeypatch.setattr(
        MaskStandards, "of_run", lambda run: dataclasses.replace(of_run(run), bounds=usual)
    )


@pytest.fixture
def data(folder: MaskedFolder) -> MaskedData:
    data = with_unmasked(folder.data, folder.prepared, folder.workspace, PIPELINE, Silent())
    # Both sources in both folds.
    return dataclasses.replace(data, fold=np.array([0, 0, 1, 1, 0, 1]))


def spec(folder: MaskedFolder, data: MaskedData) -> RunSpec:
    run = folder.workspace.runs / "student"
    return RunSpec(make_task(data), folder.workspace, make_recipe(MASKS), data.fold, 0, run)


def test_all_other_images_are_behind_those_with_masks(
    folder: MaskedFolder, data: MaskedData
) -> None:
    assert data.index.ids == [*folder.data.index.ids, "g", "h", "t1", "t2"]
    assert data.index.rows("test").tolist() == [6, 7, 8, 9]
    np.testing.assert_array_equal(data.cache.images[:6], folder.data.cache.images)
    assert len(data.masks) == len(data.fold) == 6


def test_where_all_have_masks_there_is_nothing_to_label(folder: MaskedFolder) -> None:
    masked = Index(folder.prepared.index.table.iloc[:6])
    prepared = dataclasses.replace(folder.prepared, index=masked)
    with pytest.raises(MissingError, match="--pseudo-masks"):
        with_unmasked(folder.data, prepared, folder.workspace, PIPELINE, Silent())


def test_each_fold_labels_with_its_own_model(folder: MaskedFolder, data: MaskedData) -> None:
    teacher = MaskTeacher(mask_run(folder.data, folder.workspace, "teacher", [0.9, 0.3]), 1)
    for fold, probability in enumerate((0.9, 0.3)):
        labelled = teacher.label(spec(folder, data), fold)
        assert labelled.rows.tolist() == [6, 7, 8, 9]
        masks = labelled.targets[np.arange(4)]
        assert masks.shape == (4, SIZE, SIZE, 1)
        np.testing.assert_allclose(masks, probability, atol=1 / 255)


def test_relatives_of_held_out_images_and_left_out_sources_are_not_labelled(
    folder: MaskedFolder, data: MaskedData
) -> None:
    teacher = MaskTeacher(mask_run(folder.data, folder.workspace, "teacher", [0.9, 0.3]), 1)
    table = data.index.table.copy()
    held_out = table["id"].iloc[int(np.flatnonzero(data.fold == 0)[0])]
    table.loc[table["id"] == "h", "group"] = held_out
    related = dataclasses.replace(data, index=Index(table))
    assert teacher.label(spec(folder, related), 0).rows.tolist() == [6, 8, 9]
    sources = np.array(data.index.table["source"])
    apart = dataclasses.replace(data, fold=(sources[:6] == "two").astype(np.intp))
    student = dataclasses.replace(spec(folder, apart), folder=folder.workspace.runs / "apart")
    assert set(sources[teacher.label(student, 1).rows]) == {"one"}


def test_without_a_sure_mask_there_is_nothing_to_learn(
    folder: MaskedFolder, data: MaskedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pseudo_masks, "suspicions", lambda quality, bounds: ["large"])
    teacher = MaskTeacher(mask_run(folder.data, folder.workspace, "teacher", [0.9, 0.3]), 1)
    with pytest.raises(DataError, match="--pseudo-masks"):
        teacher.label(spec(folder, data), 0)


@pytest.mark.parametrize("gain", [0.1, 0.0, -0.1])
def test_the_student_is_kept_where_left_out_sources_gain(
    folder: MaskedFolder, data: MaskedData, monkeypatch: pytest.MonkeyPatch, gain: float
) -> None:
    trained: list[tuple[int, str]] = []

    def train(
        given: MaskedData, workspace: object, recipe: object, reporter: object, options: RunOptions
    ) -> Path:
        part = "apart" if given is not data else "folds"
        trained.append((int(options.teacher is not None), part))
        return Path(f"{part}-{trained[-1][0]}")

    monkeypatch.setattr("kagglecxr.data.masked.FEWEST", 1)
    monkeypatch.setattr(pseudo_masks, "train_run", train)
    scores = {"apart-0": 0.8, "apart-1": 0.8 + gain}
    monkeypatch.setattr(pseudo_masks, "_mean_over_sources", lambda run, data: scores[run.name])
    recipe = make_recipe(MASKS)
    kept = train_with_pseudo_masks(data, folder.workspace, recipe, Silent(), RunOptions())
    assert kept.name == ("folds-1" if gain > 0 else "folds-0")
    assert trained[:3] == [(0, "apart"), (1, "apart"), (0, "folds")]
