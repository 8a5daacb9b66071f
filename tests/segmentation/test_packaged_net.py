"""One fold of a run is packed as a net that predicts where no masks came with the images."""

from pathlib import Path

import numpy as np
import pytest

from kagglecxr.core.run_record import NOVELTY, fold_folder, read_run
from kagglecxr.inference.members import member_for_files
from kagglecxr.inference.novelty import fit_novelty, load_novelties, write_threshold
from kagglecxr.segmentation import packaged_net
from kagglecxr.segmentation.mask_training import find_mask_run
from kagglecxr.segmentation.packaged_net import CAUTION, pack_net
from kagglecxr.segmentation.segmenter import Segmenter
from tests.notes import Notes
from tests.segmentation.conftest import MaskedFolder
from tests.segmentation.mask_runs import mask_run


@pytest.fixture
def packed(folder: MaskedFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    run = mask_run(folder.data, folder.workspace, "run", [0.9, 0.3])
    pack_net(run, 1, tmp_path / "net")
    monkeypatch.setattr(packaged_net, "PACKAGED", tmp_path / "net")
    return tmp_path / "net"


def test_a_packed_fold_is_a_run_of_one_fold_without_out_of_fold_masks(packed: Path) -> None:
    assert read_run(packed).folds == 1
    assert sorted(path.name for path in packed.iterdir()) == [
        "fold-0", "mask_standards.json", "run.json",
    ]  # fmt: skip
    logits = Segmenter.of_run(packed).member.load_model(0).get_layer("logits")
    # The odds of 0.3, which the second fold predicts.
    assert float(logits.get_weights()[1][0]) == pytest.approx(-0.8473, abs=1e-4)


def test_what_tells_unusual_images_is_packed_with_the_fold(
    folder: MaskedFolder, tmp_path: Path
) -> None:
    run = mask_run(folder.data, folder.workspace, "run", [0.9, 0.3])
    random = np.random.default_rng(0)
    for fold in (0, 1):
        features = [random.normal(fold, 1, (30, 4)).astype(np.float32)]
        fit_novelty(features, features).save(fold_folder(run, fold) / NOVELTY)
    write_threshold(run, 2)
    pack_net(run, 1, tmp_path / "net")
    own = load_novelties([member_for_files(run)])[0, 1]
    (packed,) = load_novelties([member_for_files(tmp_path / "net")]).values()
    np.testing.assert_array_equal(packed.gaussians[0].mean, own.gaussians[0].mean)
    np.testing.assert_array_equal(packed.scales, own.scales)


def test_it_predicts_only_where_no_net_was_trained(folder: MaskedFolder, packed: Path) -> None:
    notes = Notes()
    trained = folder.workspace.runs / "run"
    assert find_mask_run(folder.workspace, None, notes) == trained
    assert notes.told == []
    (trained / "run.json").unlink()
    assert find_mask_run(folder.workspace, None, notes) == packed
    assert notes.told == [CAUTION]
