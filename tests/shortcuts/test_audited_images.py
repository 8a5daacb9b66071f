"""An audit is of images that were held out, as many of each class, with their lungs."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kagglecxr.core.files import write_table
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import held_out_folds
from kagglecxr.data.index import Index
from kagglecxr.inference.members import Member, members_for_data
from kagglecxr.shortcuts.audited_images import audited_images, columns_of_persons
from kagglecxr.shortcuts.held_out import AuditedImages, HeldOutModels
from tests.conftest import PreparedDemo, copy_demo
from tests.notes import Notes
from tests.training.run_factories import make_run


@pytest.fixture(scope="module")
def own(demo: PreparedDemo, tmp_path_factory: pytest.TempPathFactory) -> PreparedDemo:
    return copy_demo(demo, tmp_path_factory.mktemp("audited"))


@pytest.fixture(scope="module")
def member(own: PreparedDemo) -> Member:
    [found] = members_for_data([make_run(own, "run", 1)], own.prepared)
    return found


def draw(own: PreparedDemo, member: Member, most: int) -> AuditedImages:
    random = np.random.default_rng(0)
    return audited_images(own.prepared, own.workspace, member, most, random, Silent())


def test_classes_have_as_many_images_as_they_can(own: PreparedDemo, member: Member) -> None:
    every = np.bincount(own.prepared.target_ids())
    found = draw(own, member, 4 * int(every.min()))
    assert np.bincount(found.classes).tolist() == [every.min()] * 4
    some = np.bincount(draw(own, member, 10**6).classes)
    np.testing.assert_array_equal(some, every)


def test_all_that_is_known_of_an_image_is_its_own(own: PreparedDemo, member: Member) -> None:
    found = draw(own, member, 12)
    prepared, fold_of = own.prepared, held_out_folds(member.run)
    table = prepared.index.table.set_index("id")
    targets = prepared.competition.targets()
    for number, name in enumerate(found.ids):
        line = table.loc[name]
        row = prepared.index.ids.index(name)
        np.testing.assert_array_equal(found.images[number, ..., 0], prepared.cache.images[row])
        assert targets[found.classes[number]] == line["label"]
        assert found.folds[number] == fold_of[name]
        assert (found.groups[number], found.sources[number]) == (line["group"], line["source"])
        # Lungs are darker than the rest of a chest.
        image, lungs = found.images[number, ..., 0], found.lungs[number]
        assert image[lungs].mean() < image[~lungs].mean() + 40
        assert 0.05 < lungs.mean() < 0.6
    assert found.have_lungs.all()


def test_images_are_asked_about_by_the_fold_that_held_them_out(
    own: PreparedDemo, member: Member
) -> None:
    found = draw(own, member, 12)
    outputs = HeldOutModels(member).predict(found.images, found.folds)
    assert outputs.probabilities.shape == (12, 4)
    for number in range(12):
        fold = int(found.folds[number])
        alone = member.load_model(fold)(found.images[number][None].astype(np.float32))
        np.testing.assert_allclose(outputs.probabilities[number], alone[0], atol=1e-4)


def test_recall_is_told_by_the_columns_that_metadata_have(
    own: PreparedDemo, tmp_path: Path
) -> None:
    paths = own.prepared.index.table["path"]
    write_table(
        tmp_path / "metadata.csv",
        pd.DataFrame(
            {"path": paths, "sex": ["F", "M"] * (len(paths) // 2) + ["F"] * (len(paths) % 2)}
        ),
    )
    prepared = dataclasses.replace(own.prepared, root=tmp_path)
    ids = own.prepared.index.ids
    found = columns_of_persons(prepared, [ids[1], ids[0]])
    assert {name: list(cells) for name, cells in found.items()} == {"sex": ["M", "F"]}


def test_ages_are_grouped_whatever_their_form(own: PreparedDemo, tmp_path: Path) -> None:
    ages = ["17", "18.0", "045Y", "79 y", "80", "old", ""]
    expected = ["0 to 17", "18 to 39", "40 to 59", "60 to 79", "80 and older", "", ""]
    paths = own.prepared.index.table["path"].iloc[: len(ages)]
    write_table(tmp_path / "metadata.csv", pd.DataFrame({"path": paths, "age": ages}))
    prepared = dataclasses.replace(own.prepared, root=tmp_path)
    found = columns_of_persons(prepared, own.prepared.index.ids[: len(ages)])
    assert list(found["age"]) == expected


@pytest.mark.slow
def test_lungs_without_a_mask_are_predicted(
    own: PreparedDemo, member: Member, tmp_path: Path
) -> None:
    given = draw(own, member, 8)
    table = own.prepared.index.table.copy()
    table.loc[table["id"].isin(given.ids[:5]), "mask"] = ""
    prepared = dataclasses.replace(own.prepared, index=Index(table))
    notes = Notes()
    found = audited_images(prepared, own.workspace, member, 8, np.random.default_rng(0), notes)
    assert any("5 images of the audit have no masks" in note for note in notes.told)
    np.testing.assert_array_equal(found.lungs[5:], given.lungs[5:])
    overlap = (found.lungs & given.lungs).sum(axis=(1, 2))
    either = (found.lungs | given.lungs).sum(axis=(1, 2))
    assert (overlap / either)[:5].mean() > 0.4
