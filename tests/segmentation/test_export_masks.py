"""A file of masks predicts as its run does, and `segment` takes it."""

import dataclasses
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

from kagglecxr.core.errors import DataError, SettingError
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import NOVELTY, WEIGHTS, fold_folder
from kagglecxr.inference.export.exporter import ExportedFile
from kagglecxr.inference.export.file_formats import FORMATS, load_export
from kagglecxr.inference.members import Member
from kagglecxr.inference.novelty import fit_novelty, write_threshold
from kagglecxr.models.weights.hdf5 import save_weights
from kagglecxr.segmentation import segment_files as segment_files_module
from kagglecxr.segmentation.export_masks import export_masks, have_masks
from kagglecxr.segmentation.mask_standards import MaskStandards
from kagglecxr.segmentation.segment_files import segment_files
from tests.conftest import PreparedDemo
from tests.inference.random_runs import random_run
from tests.notes import Notes
from tests.segmentation.conftest import MaskedFolder, make_folder
from tests.segmentation.mask_runs import mask_run, shared_model


@dataclasses.dataclass(frozen=True)
class Exported:
    """A run of one fold and the file made of it."""

    folder: MaskedFolder
    run: Path
    made: ExportedFile


@pytest.fixture(scope="module")
def exported(demo: PreparedDemo, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = make_folder(demo, tmp_path_factory.mktemp("masks"))
    run = mask_run(folder.data, folder.workspace, "run", [0.9])
    # A net whose masks follow the image, and are others from its mirror image.
    model, random = shared_model(), np.random.default_rng(0)
    logits = model.get_layer("logits")
    kernel = random.normal(0, 30, logits.kernel.shape)
    logits.set_weights([kernel, np.zeros(1)])
    image = cv2.resize(cv2.imread(str(folder.prepared.root / "a.png"), 0), (32, 32))
    scores = keras.Model(model.input, logits.output)(image[None, ..., None].astype(np.float32))
    middle = np.median(keras.ops.convert_to_numpy(scores))
    logits.set_weights([kernel, np.array([-middle])])
    save_weights(model, fold_folder(run, 0) / WEIGHTS)
    # Such features as no image has.
    features = [random.normal(9, 0.1, (40, width)).astype(np.float32) for width in (32, 64, 128)]
    fit_novelty(features, features).save(fold_folder(run, 0) / NOVELTY)
    write_threshold(run, 1)
    path = folder.prepared.root / "lungs.keras"
    made = export_masks(folder.prepared, run, FORMATS["keras"], path, Silent())
    return Exported(folder, run, made)


def test_a_file_returns_masks_and_knows_their_standards(exported: Exported) -> None:
    assert exported.made.classes == ["lungs"]
    loaded = load_export(exported.made.path)
    maps, novelty = loaded.predict_with_novelty(np.zeros((2, 50, 70, 3), np.float32))
    assert maps.shape == (2, 32, 32, 1)
    assert novelty is not None
    assert novelty.shape == (2,)
    assert MaskStandards.from_json(loaded.standards) == MaskStandards.of_run(exported.run)


def test_a_fold_and_views_can_be_chosen(
    folder: MaskedFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = mask_run(folder.data, folder.workspace, "run", [0.9, 0.4])
    members: list[Member] = []

    def export_nothing(_: object, exported: list[Member], *__: object) -> None:
        members.extend(exported)

    monkeypatch.setattr("kagglecxr.segmentation.export_masks.export_model", export_nothing)
    notes = Notes()
    arguments = (folder.prepared, run, FORMATS["keras"], tmp_path / "lungs.keras", notes)
    export_masks(*arguments)
    export_masks(*arguments, 1, ["hflip"])
    assert notes.told == []
    export_masks(*arguments, None, ["identity", "hflip"])
    assert "Leave out --views" in notes.told[0]
    chosen = [(list(member.folds), list(member.views)) for member in members]
    assert chosen == [([0, 1], ["identity"]), ([1], ["hflip"]), ([0, 1], ["identity", "hflip"])]


def test_segment_writes_the_same_masks_with_a_file_as_with_its_run(
    exported: Exported, tmp_path: Path
) -> None:
    images = [str(exported.folder.prepared.root / f"{name}.png") for name in ("a", "b")]
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    reporter = Notes()
    tables = [
        segment_files(model, [*images, str(broken)], tmp_path / out, tmp_path / "s", reporter)
        for model, out in ((exported.run, "by run"), (exported.made.path, "by file"))
    ]
    first, second = (table.select_dtypes(exclude=float) for table in tables)
    assert first.to_csv() == second.to_csv()
    assert first["unusual"].tolist() == [1, 1]
    for name in ("area", "symmetry", "certainty", "agreement"):
        np.testing.assert_allclose(tables[0][name], tables[1][name], atol=0.01)
    # Else a mirror image that is not turned back would go unnoticed.
    assert (tables[0]["agreement"] < 0.95).all()
    assert len(reporter.told) == 2
    assert all("broken.png" in note for note in reporter.told)
    for name, size in (("a", (60, 60)), ("b", (40, 64))):
        masks = [
            cv2.imread(str(tmp_path / out / f"{name}.png"), cv2.IMREAD_UNCHANGED)
            for out in ("by run", "by file")
        ]
        assert masks[0].shape == size
        assert (masks[0] != masks[1]).mean() < 0.005
        assert 0.1 < (masks[0] > 0).mean() < 0.9
        assert (masks[0] != masks[0][:, ::-1]).mean() > 0.05


def test_a_file_that_classifies_or_is_damaged_is_refused(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = [str(exported.folder.prepared.root / "a.png")]
    loaded = load_export(exported.made.path)
    for standards, error, message in (
        ("", SettingError, r"This file classifies.*lungs\.keras"),
        ("{}", DataError, r"standards of masks.*lungs\.keras"),
    ):
        changed = dataclasses.replace(loaded, standards=standards)
        monkeypatch.setattr(segment_files_module, "load_export", lambda _, it=changed: it)
        with pytest.raises(error, match=message):
            segment_files(exported.made.path, image, tmp_path / "out", tmp_path / "s", Silent())
        assert not (tmp_path / "out").exists()


def test_a_run_of_masks_is_exported_alone(folder: MaskedFolder, demo: PreparedDemo) -> None:
    run = mask_run(folder.data, folder.workspace, "run", [0.9])
    own = PreparedDemo(demo.competition, folder.workspace, demo.prepared)
    other = random_run(own, "classifier", folds=1)
    assert have_masks([run])
    assert not have_masks([other])
    assert not have_masks([other, other])
    with pytest.raises(SettingError, match=r"exported alone\. Received: run and 1 more"):
        have_masks([other, run])
