"""Students of findings learn what is sure, one finding at a time, and of no held-out label."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest

from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import OOF, read_run
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.index import Index
from kagglecxr.data.prepared import PreparedData
from kagglecxr.data.sequences.semi_supervised import PseudoLabelledImages
from kagglecxr.inference.predictions import Predictions
from kagglecxr.training.fold_data import FoldData
from kagglecxr.training.pseudo_labels import Teacher, train_pseudo_rounds
from kagglecxr.training.recipe import make_recipe
from kagglecxr.training.run import RunOptions, train_run
from kagglecxr.training.run_spec import RunSpec
from kagglecxr.training.sure_findings import SURE
from kagglecxr.training.tasks import make_task
from tests.training.test_finding_task import FAST, FindingData, drawn_and_prepared

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> FindingData:
    return drawn_and_prepared(tmp_path_factory.mktemp("pseudo-findings"))


@pytest.fixture(scope="module")
def teacher(data: FindingData) -> Teacher:
    recipe = make_recipe({}, FAST)
    return Teacher(train_run(data.prepared, data.workspace, recipe, Silent(), RunOptions(0)), 1)


def label(
    prepared: PreparedData, teacher: Teacher, folder: Path, fold: int
) -> PseudoLabelledImages | None:
    workspace = Workspace(folder, "found")
    task = make_task(prepared)
    return teacher.label(
        RunSpec(task, workspace, make_recipe({}, FAST), prepared.fold, 0, folder), fold
    )


def test_a_finding_is_labelled_where_it_is_sure_and_masked_elsewhere(
    data: FindingData, teacher: Teacher, tmp_path: Path
) -> None:
    soft = label(data.prepared, teacher, tmp_path, 1)
    assert soft is not None
    used = soft.targets[~np.isnan(soft.targets)]
    assert ((used >= SURE) | (used <= 1 - SURE)).all()
    assert (~np.isnan(soft.targets)).any(axis=1).all()
    assert set(soft.rows) <= set(data.prepared.index.rows("test"))
    saved = Predictions.load(tmp_path / "fold-1" / "pseudo_labels.npz")
    assert len(saved.ids) == len(data.prepared.index.rows("test"))
    again = label(data.prepared, Teacher(tmp_path / "nowhere", 1), tmp_path, 1)
    assert again is not None
    np.testing.assert_array_equal(again.targets, soft.targets)


def test_a_batch_has_them_and_its_loss_is_finite(
    data: FindingData, teacher: Teacher, tmp_path: Path
) -> None:
    soft = label(data.prepared, teacher, tmp_path, 0)
    task, recipe = make_task(data.prepared), make_recipe({}, FAST)
    assert soft is not None
    batches = FoldData(task, data.prepared.fold, 0, soft).training_batches(recipe, 3)
    _, targets = batches[0]
    lines = {line.tobytes() for line in soft.targets}
    assert [line.tobytes() in lines for line in targets[18:]] == [True] * 6
    assert np.isnan(targets[18:]).any()
    outputs = keras.ops.convert_to_tensor(np.full(targets.shape, 0.4, np.float32))
    assert np.isfinite(float(task.loss(recipe)(targets, outputs)))


def with_other_labels(prepared: PreparedData, fold: int) -> PreparedData:
    """Each image of a fold with the label of the next."""
    table, rows = prepared.index.table.copy(), prepared.index.rows("train")[prepared.fold == fold]
    cells = prepared.index.column("label", rows)
    table.loc[table.index[rows], "label"] = cells[1:] + cells[:1]
    return dataclasses.replace(prepared, index=Index(table))


def test_the_labels_of_held_out_images_do_not_reach_their_student(
    data: FindingData, teacher: Teacher, tmp_path: Path
) -> None:
    soft, same, other = (
        label(prepared, teacher, tmp_path / name, 0)
        for name, prepared in (
            ("own", data.prepared),
            ("held-out", with_other_labels(data.prepared, 0)),
            ("learned", with_other_labels(data.prepared, 1)),
        )
    )
    assert soft is not None
    assert same is not None
    np.testing.assert_array_equal(soft.targets, same.targets)
    assert other is None or not np.array_equal(soft.targets, other.targets, equal_nan=True)


def test_a_teacher_that_knows_nothing_labels_nothing(
    data: FindingData, teacher: Teacher, tmp_path: Path
) -> None:
    ignorant = tmp_path / "ignorant"
    ignorant.mkdir()
    for path in teacher.run.iterdir():
        if path.name != OOF:
            (ignorant / path.name).symlink_to(path)
    oof = Predictions.load(teacher.run / OOF)
    even = np.full_like(oof.probabilities, 0.5)
    dataclasses.replace(oof, probabilities=even, by_view={}).save(ignorant / OOF)
    assert label(data.prepared, Teacher(ignorant, 1), tmp_path / "student", 0) is None


def test_a_round_of_findings_is_kept_by_their_metric(data: FindingData) -> None:
    recipe = make_recipe({}, [*FAST, "epochs=4"])
    notes: list[str] = []

    class Notes(Silent):
        def note(self, text: str) -> None:
            notes.append(text)

    best = train_pseudo_rounds(data.prepared, data.workspace, recipe, Notes(), rounds=1)
    assert "out-of-fold mean_auc" in notes[-1]
    scores = {
        run.name: read_run(run).metrics["oof_mean_auc"]
        for run in data.workspace.runs.iterdir()
        if read_run(run).recipe["epochs"] == 4
    }
    assert len(scores) == 2
    assert scores[best.name] == max(scores.values())
