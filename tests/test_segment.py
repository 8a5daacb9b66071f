"""The verb `segment` as a user types it: from masks to a net, its file, and masks of any images."""

import contextlib
import shutil
import subprocess
from pathlib import Path

import pytest

from kagglecxr.core.files import read_table
from tests.test_verbs import verb, verb_here

TINY = [
    word
    for value in ("segmentation.size=32", "epochs=1", "optimizer=sgd")
    for word in ("--set", value)
]


def done_well(done: subprocess.CompletedProcess[str]) -> str:
    """What a verb says, its notes included."""
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_masks_are_learned_predicted_exported_and_used(demo_images: Path, tmp_path: Path) -> None:
    shutil.copytree(demo_images, tmp_path / "xrays")
    shutil.rmtree(tmp_path / "xrays" / "Normal" / "masks")
    metadata = read_table(tmp_path / "xrays" / "metadata.csv")
    metadata.loc[metadata["label"] == "Normal", "mask_path"] = ""
    metadata.to_csv(tmp_path / "xrays" / "metadata.csv", index=False)
    with contextlib.chdir(tmp_path):
        done_well(verb_here("prepare", "xrays", "--size", "32", "--folds", "2"))
        told = done_well(verb("segment", "xrays", "--train", "--recipe", "lungs_scratch", *TINY))
        assert "Out of fold, " in told
        work = tmp_path / "work" / "xrays"
        index = read_table(work / "index.csv")
        assert set(index["mask_source"]) == {"", "predicted"}
        (run,) = (work / "runs").iterdir()
        assert {"mask_scores.csv", "worst_masks.png", "novelty.json"} <= {
            path.name for path in run.iterdir()
        }
        told = done_well(verb_here("export", "xrays", run.name))
        assert "probabilities of lungs" in told
        file = tmp_path / "exports" / f"xrays-{run.name}.keras"
        images = "xrays/Normal/images/*.png"
        for model, out in ((file, "by file"), (run, "by run")):
            done_well(verb_here("segment", images, "--model", str(model), "--out", out))
            flags = read_table(tmp_path / out / "flags.csv")
            assert len(flags) == len(list((tmp_path / "xrays" / "Normal" / "images").iterdir()))
            assert set(flags["unusual"]) <= {"0", "1"}
        refused = verb_here("predict", str(file), images)
        assert refused.returncode == 2
        assert "classifies nothing" in refused.stderr
        done_well(verb_here("prepare", "xrays", "--pipeline", "gray | resize | mask"))
