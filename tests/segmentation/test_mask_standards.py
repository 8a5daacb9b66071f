"""Standards come from out-of-fold masks once, and are read from their file afterwards."""

import numpy as np
import pytest

from kagglecxr.core.errors import DataError
from kagglecxr.core.run_record import OOF
from kagglecxr.segmentation.mask_standards import STANDARDS, MaskStandards
from kagglecxr.segmentation.quality import measure_quality, suspicions
from kagglecxr.training.held_out_masks import HeldOutMasks
from tests.segmentation.conftest import MaskedFolder
from tests.segmentation.mask_runs import mask_run


def test_they_are_derived_once_and_read_as_they_were(folder: MaskedFolder) -> None:
    spots = np.array(folder.data.masks)
    # A third part that is no lung, which cleaning removes.
    spots[:, 28:30, 28:30] = 255
    run = mask_run(folder.data, folder.workspace, "run", [0.9, 0.3], spots)
    derived = MaskStandards.of_run(run)
    assert derived.cleaning.helps
    assert derived.cleaning.after == 1.0
    assert derived.bounds["parts"][0] == -np.inf
    assert derived.bounds["symmetry"][1] == np.inf
    (run / OOF).unlink()
    assert MaskStandards.of_run(run) == derived


@pytest.mark.parametrize("views", [["identity"], ["hflip"], ["identity", "rotate"]])
def test_where_the_views_were_not_compared_they_may_disagree(
    folder: MaskedFolder, views: list[str]
) -> None:
    data = folder.data
    maps = np.where(np.asarray(data.masks) > 0, np.uint8(240), np.uint8(10))
    held_out = HeldOutMasks(
        np.array(data.index.ids), np.asarray(data.masks), dict.fromkeys(views, maps)
    )
    standards = MaskStandards.of_masks(held_out)
    assert standards.bounds["agreement"] == (-np.inf, np.inf)
    # A net that says something else of the mirror image: all of report 3's masks looked suspicious.
    one = maps[0] / np.float32(255)
    quality = measure_quality(one, np.roll(one, 1, axis=1))
    assert quality.agreement < 1
    assert "views disagree" not in suspicions(quality, standards.bounds)


@pytest.mark.parametrize("text", ["no json", "{}", '{"cleaning": {"before": 1}, "bounds": {}}'])
def test_a_damaged_file_is_named(folder: MaskedFolder, text: str) -> None:
    run = mask_run(folder.data, folder.workspace, "run", [0.9, 0.3])
    (run / STANDARDS).write_text(text)
    with pytest.raises(DataError, match=STANDARDS):
        MaskStandards.of_run(run)
