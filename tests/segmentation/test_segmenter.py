"""Masks of the image's own size, from both views, cleaned where that helps."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from kagglecxr.core.errors import DataError, MissingError, SettingError
from kagglecxr.core.files import read_table
from kagglecxr.core.run_record import OOF, WEIGHTS, fold_folder
from kagglecxr.inference.novelty import Features, Novelty, Scores
from kagglecxr.segmentation.mask_files import MaskFolder
from kagglecxr.segmentation.mask_standards import STANDARDS, MaskStandards
from kagglecxr.segmentation.predicted_mask import NO_CHEST, PredictedMask
from kagglecxr.segmentation.segmenter import Segmenter
from tests.conftest import PreparedDemo
from tests.inference.random_runs import random_run
from tests.segmentation.conftest import MaskedFolder
from tests.segmentation.mask_runs import mask_run, predict_without_models

Pixels = npt.NDArray[np.uint8]


def brightness(_: object) -> Callable[[Pixels], npt.NDArray[np.float32]]:
    """A net that predicts how bright each pixel is."""
    return lambda images: images.astype(np.float32) / 255


@pytest.fixture
def bright(folder: MaskedFolder, monkeypatch: pytest.MonkeyPatch) -> Segmenter:
    predict_without_models(monkeypatch)
    monkeypatch.setattr("kagglecxr.segmentation.segmenter.compiled_function", brightness)
    return Segmenter.of_run(mask_run(folder.data, folder.workspace, "run", [0.5, 0.5]))


def segmented(
    segmenter: Segmenter, images: Pixels, size: tuple[int, int], folds: list[int | None]
) -> list[PredictedMask]:
    done: list[int] = []
    found = list(segmenter.segment(images, [size] * len(images), folds, done.append))
    assert sum(done) == len(found)
    return sorted(found, key=lambda one: one.row)


@pytest.mark.parametrize("size", [(32, 32), (64, 48), (20, 31)])
def test_a_mask_lies_where_the_net_saw_lungs(bright: Segmenter, size: tuple[int, int]) -> None:
    images = np.zeros((1, 32, 32), np.uint8)
    images[0, 8:24, 4:12] = 255
    (found,) = segmented(bright, images, size, [0])
    height, width = size
    expected = np.zeros(size, np.uint8)
    expected[height // 4 : 3 * height // 4, width // 8 : 3 * width // 8] = 255
    assert found.mask.shape == size
    assert set(np.unique(found.mask)) == {0, 255}
    assert (found.mask != expected).mean() < 0.05
    assert found.quality.agreement == 1.0
    assert found.quality.area == 1 / 8


def test_each_image_is_predicted_by_its_own_folds(
    folder: MaskedFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict_without_models(monkeypatch)
    run = mask_run(folder.data, folder.workspace, "run", [0.9, 0.3, 0.3])
    segmenter = Segmenter.of_run(run)
    folds = [1, 0, None, 2, 0]
    found = segmented(segmenter, np.zeros((5, 32, 32), np.uint8), (8, 9), folds)
    assert {one.row: bool(one.mask.all()) for one in found} == {
        0: False, 1: True, 3: False, 4: True,
    }  # fmt: skip
    assert segmenter.first_fold == 0


def test_more_images_than_a_batch_are_all_predicted(bright: Segmenter) -> None:
    images = np.random.default_rng(0).integers(0, 2, (37, 32, 32), np.uint8) * 255
    found = segmented(bright, images, (32, 32), [row % 2 for row in range(37)])
    assert [one.row for one in found] == list(range(37))
    for one, image in zip(found, images, strict=True):
        np.testing.assert_array_equal(one.mask, image)


def test_masks_are_cleaned_where_that_helps_out_of_fold(
    folder: MaskedFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict_without_models(monkeypatch)
    monkeypatch.setattr("kagglecxr.segmentation.segmenter.compiled_function", brightness)
    specks = np.array(folder.data.masks)
    specks[:, -1, -1] = 255
    image = specks[:1]
    for name, maps, cleaned in (("specks", specks, True), ("right", None, False)):
        run = mask_run(folder.data, folder.workspace, name, [0.5, 0.5], maps)
        segmenter = Segmenter.of_run(run)
        assert segmenter.standards.cleaning.helps == cleaned
        (found,) = segmented(segmenter, image, (32, 32), [0])
        assert bool(found.mask[-1, -1]) != cleaned
        # Specks are counted before they are removed.
        assert found.quality.parts == 3


def test_what_is_usual_is_derived_once_and_kept(folder: MaskedFolder) -> None:
    run = mask_run(folder.data, folder.workspace, "run", [0.5, 0.5])
    derived = MaskStandards.of_run(run)
    (run / OOF).unlink()
    assert MaskStandards.of_run(run) == derived
    shares = [float((mask > 0).mean()) for mask in folder.data.masks]
    assert min(shares) <= derived.bounds["area"][0] <= derived.bounds["area"][1] <= max(shares)


@pytest.mark.parametrize("text", ["", "[]", '{"bounds": {}}', '{"bounds": 1, "cleaning": {}}'])
def test_damaged_standards_are_refused_by_their_file(folder: MaskedFolder, text: str) -> None:
    run = mask_run(folder.data, folder.workspace, "run", [0.5])
    (run / STANDARDS).write_text(text)
    with pytest.raises(DataError, match=f"Received: .*{STANDARDS}"):
        Segmenter.of_run(run)


def test_runs_without_masks_or_weights_are_refused(
    folder: MaskedFolder, demo: PreparedDemo, tmp_path: Path
) -> None:
    run = mask_run(folder.data, folder.workspace, "run", [0.5, 0.5])
    (fold_folder(run, 1) / WEIGHTS).unlink()
    with pytest.raises(MissingError, match="fold-1"):
        Segmenter.of_run(run)
    own = PreparedDemo(demo.competition, folder.workspace, demo.prepared)
    with pytest.raises(SettingError, match="classifies"):
        Segmenter.of_run(random_run(own, "classifier", folds=1))


def test_a_colour_net_sees_colours(bright: Segmenter) -> None:
    grey = cv2.resize(np.eye(4, dtype=np.uint8) * 255, (32, 32), interpolation=cv2.INTER_NEAREST)
    images = np.repeat(grey[None, ..., None], 3, axis=-1)
    (found,) = segmented(bright, images, (32, 32), [0])
    np.testing.assert_array_equal(found.mask, grey)


def test_a_fold_predicts_by_its_weights(folder: MaskedFolder) -> None:
    segmenter = Segmenter.of_run(mask_run(folder.data, folder.workspace, "run", [0.5, 0.8]))
    predicted = segmenter.predict(np.zeros((2, 32, 32, 1), np.uint8), 1)
    for maps in (predicted.plain, predicted.flipped):
        np.testing.assert_allclose(maps, np.full((2, 32, 32), 0.8), atol=1e-6)


class Bright(Novelty):
    """Calls bright images unusual."""

    def scores(self, features: Features) -> Scores:
        return np.asarray(features[0][:, 0] / 128, np.float64)


def test_images_unlike_those_learned_from_are_suspicious(
    folder: MaskedFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    predict_without_models(monkeypatch)

    def with_features(_: object) -> Callable[[Pixels], list[npt.NDArray[np.floating]]]:
        return lambda images: [images / np.float32(255), images.mean(axis=(1, 2))]

    monkeypatch.setattr("kagglecxr.segmentation.segmenter.compiled_function", with_features)
    segmenter = Segmenter.of_run(mask_run(folder.data, folder.workspace, "run", [0.5, 0.5]))
    assert segmenter.novelties == {}
    knowing = dataclasses.replace(segmenter, novelties={0: Bright([], np.ones(1), np.ones(1))})
    images = np.stack([np.full((32, 32), level, np.uint8) for level in (10, 200, 200)])
    found = segmented(knowing, images, (32, 32), [0, 0, 1])
    assert [one.unusual for one in found] == [False, True, None]
    assert [one.suspicions[0] == NO_CHEST for one in found] == [False, True, False]
    names = ["a", "b", "c"]
    MaskFolder(tmp_path).write(found[:2], names, names)
    flags = read_table(tmp_path / "flags.csv")
    assert flags["unusual"].tolist() == ["0", "1"]
    assert flags["suspicious"][1].startswith("no chest X-ray?, ")
    unknown = MaskFolder(tmp_path / "other").write(found[2:], names, names)
    assert "unusual" not in unknown
