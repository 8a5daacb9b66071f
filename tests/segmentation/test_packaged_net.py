"""One fold of a run is packed as a net that predicts where no masks came with the images."""

from pathlib import Path

import numpy as np
import pytest

from kagglecxr.core.run_record import NOVELTY, fold_folder, read_run
from kagglecxr.inference.members import member_for_files
from kagglecxr.inference.novelty import Novelty, fit_novelty, load_novelties
from kagglecxr.segmentation import packaged_net
from kagglecxr.segmentation.mask_standards import MaskStandards
from kagglecxr.segmentation.mask_training import find_mask_run
from kagglecxr.segmentation.packaged_net import CAUTION, pack_net
from kagglecxr.segmentation.segmenter import Segmenter
from kagglecxr.training.held_out_masks import HeldOutMasks
from tests.notes import Notes
from tests.segmentation.conftest import MaskedFolder
from tests.segmentation.mask_runs import mask_run


@pytest.fixture
def run(folder: MaskedFolder) -> Path:
    """A run of two folds with what training leaves of each; each held out three images."""
    run = mask_run(folder.data, folder.workspace, "run", [0.9, 0.3])
    random, data = np.random.default_rng(0), folder.data
    for fold in (0, 1):
        features = [random.normal(fold, 1, (30, 4)).astype(np.float32)]
        fit_novelty(features, features).save(fold_folder(run, fold) / NOVELTY)
        held_out = data.fold == fold
        masks, ids = np.asarray(data.masks)[held_out], np.array(data.index.ids)[held_out]
        HeldOutMasks(ids, masks, {"identity": masks}).save(
            fold_folder(run, fold) / "validation.npz"
        )
    return run


@pytest.fixture
def packed(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pack_net(run, 1, tmp_path / "net")
    monkeypatch.setattr(packaged_net, "PACKAGED", tmp_path / "net")
    return tmp_path / "net"


def test_a_packed_fold_is_a_run_of_one_fold_without_out_of_fold_masks(packed: Path) -> None:
    record = read_run(packed)
    assert (record.folds, record.recipe["weights"]) == (1, "")
    assert sorted(path.relative_to(packed).as_posix() for path in packed.rglob("*.*")) == [
        "fold-0/model.weights.h5", "fold-0/novelty.npz", "mask_standards.json", "novelty.json",
        "run.json",
    ]  # fmt: skip
    logits = Segmenter.of_run(packed).member.load_model(0).get_layer("logits")
    # The odds of 0.3, which the second fold predicts.
    assert float(logits.get_weights()[1][0]) == pytest.approx(-0.8473, abs=1e-4)


def test_its_standards_are_those_of_the_images_that_the_fold_held_out(
    run: Path, packed: Path
) -> None:
    own = HeldOutMasks.load(fold_folder(run, 1) / "validation.npz")
    assert MaskStandards.of_run(packed) == MaskStandards.of_masks(own)
    held_out = Novelty.load(fold_folder(run, 1) / NOVELTY).held_out
    (novelty,) = load_novelties([member_for_files(packed)]).values()
    np.testing.assert_allclose(novelty.held_out, held_out / held_out.max())


def test_packing_again_leaves_nothing_of_the_net_before(run: Path, packed: Path) -> None:
    (packed / "old.txt").touch()
    pack_net(run, 0, packed)
    assert not (packed / "old.txt").exists()


def test_it_predicts_only_where_no_net_was_trained(folder: MaskedFolder, packed: Path) -> None:
    notes = Notes()
    trained = folder.workspace.runs / "run"
    assert find_mask_run(folder.workspace, None, notes) == trained
    assert notes.told == []
    (trained / "run.json").unlink()
    assert find_mask_run(folder.workspace, None, notes) == packed
    assert notes.told == [CAUTION]
