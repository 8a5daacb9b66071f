"""The package's own net: small, as its model card says, and it finds lungs."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from kagglecxr.core.files import file_digest, read_table
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import WEIGHTS, fold_folder, read_run
from kagglecxr.data.images.decode import read_image
from kagglecxr.segmentation.packaged_net import PACKAGED, packaged_run
from kagglecxr.segmentation.segment_files import segment_files

CXR4 = Path(__file__).parents[3] / "shared" / "data" / "cxr4"


def test_it_is_in_the_package_and_small() -> None:
    assert packaged_run() == PACKAGED
    assert sum(path.stat().st_size for path in PACKAGED.rglob("*") if path.is_file()) < 3e6


def test_its_card_tells_its_hash_licence_and_sources() -> None:
    card = (PACKAGED / "README.md").read_text(encoding="utf-8")
    assert file_digest(fold_folder(PACKAGED, 0) / WEIGHTS) in card
    for fact in ("CC BY 4.0", "Kermany", "V7 Labs", "python -m benchmarks.lung_net"):
        assert fact in card
    assert f"{read_run(PACKAGED).parameters['all']:,} parameters" in card


def test_its_card_is_a_table_and_its_record_names_no_place_of_a_machine() -> None:
    lines = (PACKAGED / "README.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 4
    assert {row.count("|") for row in rows} == {7}
    assert read_run(PACKAGED).recipe["weights"] == ""


def overlap(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> float:
    return float((one & other).sum() / (one | other).sum())


def test_noise_is_no_chest_x_ray(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (192, 192), np.uint8)
    cv2.imwrite(str(tmp_path / "noise.png"), noise)
    flags = segment_files(
        PACKAGED, [str(tmp_path / "noise.png")], tmp_path / "out", tmp_path / "s", Silent()
    )
    assert flags["unusual"].tolist() == [1]
    assert flags["suspicious"][0].startswith("no chest X-ray?")


@pytest.mark.skipif(not CXR4.is_dir(), reason="the real X-rays of shared/data are not here")
@pytest.mark.parametrize(("source", "least"), [("kermany", 0.88), ("cohen", 0.75)])
def test_it_finds_lungs_of_children_and_of_adults(
    tmp_path: Path, source: str, least: float
) -> None:
    table = read_table(CXR4 / "metadata.csv")
    chosen = table[(table["source"] == source) & (table["mask_source"] == _v7(table))].iloc[::30]
    flags = segment_files(
        PACKAGED, [str(CXR4 / path) for path in chosen["path"]], tmp_path, tmp_path / "s", Silent()
    )
    overlaps = []
    for name, mask_path in zip(flags["mask"], chosen["mask_path"], strict=True):
        true = read_image(CXR4 / mask_path)
        found = cv2.imread(str(tmp_path / name), cv2.IMREAD_UNCHANGED)
        if true.shape != found.shape:
            true = cv2.resize(true, found.shape[::-1], interpolation=cv2.INTER_NEAREST)
        overlaps.append(overlap(true.reshape(found.shape) > 127, found > 127))
    assert np.mean(overlaps) > least


def _v7(table: pd.DataFrame) -> str:
    """Who drew most of the masks."""
    return str(table.loc[table["mask_path"] != "", "mask_source"].mode()[0])
