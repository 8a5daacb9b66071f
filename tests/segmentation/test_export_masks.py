"""A file of masks predicts as its run does, and `segment` takes it."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from kagglecxr.core.errors import DataError, SettingError
from kagglecxr.core.progress import Silent
from kagglecxr.inference.export.file_formats import FORMATS, load_export
from kagglecxr.segmentation import segment_files as segment_files_module
from kagglecxr.segmentation.export_masks import export_masks, have_masks
from kagglecxr.segmentation.mask_standards import MaskStandards
from kagglecxr.segmentation.segment_files import segment_files
from tests.conftest import PreparedDemo
from tests.inference.random_runs import random_run
from tests.notes import Notes
from tests.segmentation.conftest import MaskedFolder
from tests.segmentation.mask_runs import mask_run


@pytest.fixture
def run(folder: MaskedFolder) -> Path:
    return mask_run(folder.data, folder.workspace, "run", [0.9, 0.4])


def test_a_file_returns_the_mean_of_the_folds_and_knows_the_standards(
    folder: MaskedFolder, run: Path, tmp_path: Path
) -> None:
    path = tmp_path / "lungs.keras"
    made = export_masks(folder.prepared, run, FORMATS["keras"], path, Silent())
    assert made.classes == ["lungs"]
    loaded = load_export(path)
    maps = loaded.predict(np.zeros((2, 50, 70, 3), np.float32))
    np.testing.assert_allclose(maps, np.full((2, 32, 32, 1), 0.65), atol=1e-6)
    assert MaskStandards.from_json(loaded.standards) == MaskStandards.of_run(run)
    one = tmp_path / "fold.keras"
    both = ["identity", "hflip"]
    export_masks(folder.prepared, run, FORMATS["keras"], one, Silent(), 1, both)
    np.testing.assert_allclose(load_export(one).predict(np.zeros((1, 9, 9, 1))), 0.4, atol=1e-6)


def test_segment_writes_the_same_masks_with_a_file_as_with_its_run(
    folder: MaskedFolder, tmp_path: Path
) -> None:
    path = tmp_path / "lungs.keras"
    run = mask_run(folder.data, folder.workspace, "run", [0.9, 0.9])
    export_masks(folder.prepared, run, FORMATS["keras"], path, Silent())
    images = [str(folder.prepared.root / f"{name}.png") for name in ("a", "b")]
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    reporter = Notes()
    tables = [
        segment_files(model, [*images, str(broken)], tmp_path / out, tmp_path / "s", reporter)
        for model, out in ((run, "by run"), (path, "by file"))
    ]
    first, second = (table.drop(columns="certainty") for table in tables)
    assert first.to_csv() == second.to_csv()
    np.testing.assert_allclose(tables[0]["certainty"], tables[1]["certainty"], atol=1e-5)
    assert len(reporter.told) == 2
    assert all("broken.png" in note for note in reporter.told)
    for name, size in (("a", (60, 60)), ("b", (40, 64))):
        masks = [
            cv2.imread(str(tmp_path / out / f"{name}.png"), cv2.IMREAD_UNCHANGED)
            for out in ("by run", "by file")
        ]
        assert masks[0].shape == size
        np.testing.assert_array_equal(*masks)


def test_a_file_that_classifies_or_is_damaged_is_refused(
    folder: MaskedFolder, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lungs.keras"
    image = [str(folder.prepared.root / "a.png")]
    export_masks(folder.prepared, run, FORMATS["keras"], path, Silent())
    loaded = load_export(path)
    for standards, error, message in (
        ("", SettingError, r"This file classifies.*lungs\.keras"),
        ("{}", DataError, r"standards of masks.*lungs\.keras"),
    ):
        changed = dataclasses.replace(loaded, standards=standards)
        monkeypatch.setattr(segment_files_module, "load_export", lambda _, it=changed: it)
        with pytest.raises(error, match=message):
            segment_files(path, image, tmp_path / "out", tmp_path / "s", Silent())
        assert not (tmp_path / "out").exists()


def test_a_run_of_masks_is_exported_alone(
    folder: MaskedFolder, run: Path, demo: PreparedDemo
) -> None:
    own = PreparedDemo(demo.competition, folder.workspace, demo.prepared)
    other = random_run(own, "classifier", folds=1)
    assert have_masks([run])
    assert not have_masks([other])
    assert not have_masks([other, other])
    with pytest.raises(SettingError, match=r"exported alone\. Received: run and 1 more"):
        have_masks([other, run])
