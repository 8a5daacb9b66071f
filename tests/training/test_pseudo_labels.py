"""A student learns from its own fold's teacher alone, so no held-out label can reach it."""

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kagglecxr.core.errors import MissingError, SettingError
from kagglecxr.core.files import read_json
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import read_run
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.index import Index, write_index
from kagglecxr.data.prepared import PreparedData
from kagglecxr.data.sequences.semi_supervised import PseudoLabelledImages
from kagglecxr.inference.members import rebuild_model
from kagglecxr.inference.predictions import Predictions
from kagglecxr.inference.view_passes import predict_views
from kagglecxr.training.callbacks.resume_checkpoint import ResumeCheckpoint
from kagglecxr.training.fold import FoldOptions, train_fold
from kagglecxr.training.fold_data import FoldData
from kagglecxr.training.pseudo_labels import Teacher, check_pseudo_labels
from kagglecxr.training.recipe import Recipe, make_recipe
from kagglecxr.training.run import RunOptions, train_run
from kagglecxr.training.tasks import make_task
from tests.conftest import FOLDS, PreparedDemo, prepare_demo
from tests.training.run_factories import TINY, fold_data, make_run, run_spec


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return make_recipe({}, ["epochs=1", "steps=2", *TINY])


@pytest.fixture(scope="module")
def own(demo_images: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedDemo:
    return prepare_demo(demo_images, tmp_path_factory.mktemp("pseudo"))


@pytest.fixture(scope="module")
def teacher(own: PreparedDemo) -> Teacher:
    return Teacher(make_run(own, "made", 1), 1)


def with_cells(
    prepared: PreparedData, column: str, rows: np.ndarray, cells: list[str]
) -> PreparedData:
    table = prepared.index.table.copy()
    table.loc[table.index[rows], column] = cells
    return dataclasses.replace(prepared, index=Index(table))


def label(
    own: PreparedDemo,
    teacher: Teacher,
    folder: Path,
    fold: int,
    prepared: PreparedData | None = None,
) -> PseudoLabelledImages:
    """What a teacher gives a student, whose data may be others than the prepared ones."""
    demo = dataclasses.replace(own, prepared=prepared or own.prepared)
    return teacher.label(run_spec(demo, make_recipe({}, TINY), folder), fold)


def with_other_labels(prepared: PreparedData, fold: int | None) -> PreparedData:
    """Each image of a fold with the label of the next; of no fold where None."""
    rows = prepared.index.rows("train")[prepared.fold == fold]
    labels = prepared.index.column("label", rows)
    return with_cells(prepared, "label", rows, labels[1:] + labels[:1])


def test_labels_are_the_soft_predictions_of_the_model_of_the_same_fold(
    own: PreparedDemo, teacher: Teacher, tmp_path: Path
) -> None:
    prepared, record = own.prepared, read_run(teacher.run)
    model = rebuild_model(record)
    soft = label(own, teacher, tmp_path, 1)
    assert soft.rows.tolist() == prepared.index.rows("test").tolist()
    for fold in range(FOLDS):
        model.load_weights(teacher.run / f"fold-{fold}" / "model.weights.h5")
        seen = predict_views(model, prepared.cache.images, soft.rows, views=record.recipe["views"])
        assert np.allclose(seen, soft.targets, atol=1e-6) == (fold == 1)


def test_kept_predictions_are_read_again(
    own: PreparedDemo, teacher: Teacher, tmp_path: Path
) -> None:
    first = label(own, teacher, tmp_path, 0)
    nowhere = Teacher(tmp_path / "nowhere", 1)
    again = label(own, nowhere, tmp_path, 0)
    np.testing.assert_array_equal(first.targets, again.targets)


def test_relatives_of_held_out_images_are_not_learned_from(
    own: PreparedDemo, teacher: Teacher, tmp_path: Path
) -> None:
    prepared, test = own.prepared, own.prepared.index.rows("test")
    held_out = prepared.index.rows("train")[prepared.fold == 0]
    relative = prepared.index.column("group", held_out[:1])
    changed = with_cells(prepared, "group", test[3:4], relative)
    soft = label(own, teacher, tmp_path, 0, changed)
    assert soft.rows.tolist() == np.delete(test, 3).tolist()
    FoldData(make_task(changed), prepared.fold, 0, soft)
    others = label(own, teacher, tmp_path, 1, changed)
    assert others.rows.tolist() == test.tolist()


def test_the_labels_of_held_out_images_do_not_reach_their_student_for_a_fixed_teacher(
    own: PreparedDemo, teacher: Teacher, recipe: Recipe, tmp_path: Path
) -> None:
    """The quick half of the next, for a teacher that is what it is."""
    prepared, fold_of = own.prepared, own.prepared.fold
    lessons = {}
    for changed in (None, 0, 1):
        data = with_other_labels(prepared, changed)
        soft = label(own, teacher, tmp_path / str(changed), 0, data)
        batches = FoldData(make_task(data), fold_of, 0, soft).training_batches(recipe, 3)
        lessons[changed] = [batches[number] for number in range(len(batches))]
    for part, name in enumerate(("images", "targets")):
        for one, other in zip(lessons[0], lessons[None], strict=True):
            np.testing.assert_array_equal(one[part], other[part], err_msg=name)
    assert not np.array_equal(lessons[1][0][0], lessons[None][0][0])


@pytest.mark.slow
def test_the_labels_of_held_out_images_do_not_reach_their_student(
    own: PreparedDemo, teacher: Teacher, recipe: Recipe, tmp_path: Path
) -> None:
    prepared, fold_of = own.prepared, own.prepared.fold
    lessons = {}
    for changed in (None, 0, 1):
        data = with_other_labels(prepared, changed)
        workspace = Workspace(tmp_path / str(changed), prepared.competition.name)
        write_index(workspace.index, data.index)
        run = train_run(data, workspace, recipe, Silent(), RunOptions(only_fold=0))
        # What is read of a teacher's record does not depend on labels.
        (run / "run.json").write_bytes((teacher.run / "run.json").read_bytes())
        soft = label(own, Teacher(run, 1), workspace.root, 0, data)
        batches = FoldData(make_task(data), fold_of, 0, soft).training_batches(recipe, 3)
        lessons[changed] = np.stack([batches[number][1] for number in range(len(batches))])
    np.testing.assert_array_equal(lessons[0], lessons[None])
    assert not np.array_equal(lessons[1], lessons[None])


def test_a_student_is_a_run_of_its_own_that_is_taught_by_its_teacher(
    own: PreparedDemo, teacher: Teacher, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned = []

    def ask(*given: Any) -> None:
        soft = given[-1].unlabelled()
        learned.append(soft.targets)

    monkeypatch.setattr("kagglecxr.training.run.train_fold", ask)
    run = train_run(own.prepared, own.workspace, recipe, Silent(), RunOptions(teacher=teacher))
    assert run != teacher.run
    record = read_json(run / "recipe.json")
    assert (record["teacher"], record["round"]) == (teacher.run.name, 1)
    assert len(learned) == FOLDS
    for fold, targets in enumerate(learned):
        kept = Predictions.load(run / f"fold-{fold}" / "pseudo_labels.npz")
        np.testing.assert_array_equal(kept.probabilities, targets)
        assert set(kept.truth.tolist()) == {-1}


def test_teacher_and_round_decide_a_student_s_name(
    own: PreparedDemo, teacher: Teacher, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kagglecxr.training.run.train_fold", lambda *_, **__: None)
    runs = {
        train_run(own.prepared, own.workspace, recipe, Silent(), RunOptions(teacher=one))
        for one in (None, teacher, Teacher(teacher.run, 2), Teacher(make_run(own, "b", 2), 1))
    }
    assert len(runs) == 4


def test_a_quarter_of_each_batch_is_of_the_test_set(
    own: PreparedDemo, teacher: Teacher, tmp_path: Path
) -> None:
    prepared, recipe = own.prepared, make_recipe({}, TINY)
    soft = label(own, teacher, tmp_path, 0)
    data = FoldData(make_task(prepared), prepared.fold, 0, soft)
    batches = data.training_batches(recipe, 3, augmented=False)
    test = {prepared.cache.images[row].tobytes() for row in prepared.index.rows("test")}
    learned = prepared.index.rows("train")[prepared.fold != 0]
    assert len(batches) == len(fold_data(own).training_batches(recipe, 3))
    shown = set()
    for place in range(2 * len(batches)):
        images, targets = batches.batch_at(place)
        shown |= {image.tobytes() for image in images[:48]}
        assert [image.tobytes() in test for image in images] == [False] * 48 + [True] * 16
        assert np.ptp(targets[:48].sum(axis=0)) <= 1
    assert shown == {prepared.cache.images[row].tobytes() for row in learned}


class _KilledError(Exception):
    pass


class _KillAfterOne(ResumeCheckpoint):
    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if epoch == 1:
            raise _KilledError
        super().on_epoch_begin(epoch, logs)


@pytest.mark.slow
def test_an_interrupted_student_ends_with_the_same_bytes(
    own: PreparedDemo, teacher: Teacher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = make_recipe({}, ["epochs=2", "steps=2", *TINY])

    def train(folder: Path) -> None:
        run = run_spec(own, recipe, folder)
        train_fold(run, 0, Silent(), FoldOptions(unlabelled=partial(teacher.label, run, 0)))

    train(tmp_path / "straight")
    with monkeypatch.context() as patch:
        patch.setattr("kagglecxr.training.stage.ResumeCheckpoint", _KillAfterOne)
        with pytest.raises(_KilledError):
            train(tmp_path / "killed")
    train(tmp_path / "killed")
    one, other = (
        Predictions.load(tmp_path / name / "fold-0" / "validation.npz")
        for name in ("straight", "killed")
    )
    np.testing.assert_array_equal(one.probabilities, other.probabilities)


def test_without_a_test_part_there_is_nothing_to_label(own: PreparedDemo, recipe: Recipe) -> None:
    table = own.prepared.index.table
    alone = dataclasses.replace(own.prepared, index=Index(table[table["split"] == "train"]))
    with pytest.raises(MissingError, match=r"prepare demo .*--test=0\.2 "):
        check_pseudo_labels(alone, own.workspace, recipe)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["batch_size=1"], "batch_size=1"),
        (
            [
                *("model=mobilenet_v2_035", "trainable=head", "augmentation.rotation=0"),
                *("augmentation.zoom=0", "augmentation.shift=0", "augmentation.contrast=0"),
                "augmentation.brightness=0",
            ],
            "frozen features",
        ),
    ],
)
def test_a_recipe_that_cannot_learn_so_is_refused(
    own: PreparedDemo, changes: list[str], message: str
) -> None:
    with pytest.raises(SettingError, match=message):
        check_pseudo_labels(own.prepared, own.workspace, make_recipe({}, changes))
