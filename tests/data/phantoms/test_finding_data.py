"""The built-in competition of findings: fixed by its seed, each visible, several an image."""

from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest

from kagglecxr.core.errors import DataError
from kagglecxr.core.findings import truth_of_findings
from kagglecxr.core.progress import Silent
from kagglecxr.data.competition import load_competition
from kagglecxr.data.files.layout import find_images
from kagglecxr.data.images.decode import read_image
from kagglecxr.data.phantoms import finding_data, make_finding_demo
from kagglecxr.data.phantoms.finding_phantoms import FINDINGS, draw_finding_phantom

NAMES, RATES = list(FINDINGS), finding_data.RATES


@pytest.fixture(scope="module", autouse=True)
def few_patients() -> Iterator[None]:
    often = dict.fromkeys(FINDINGS, 0.5)
    with patch.object(finding_data, "PATIENTS", 8), patch.object(finding_data, "RATES", often):
        yield


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_finding_demo(tmp_path_factory.mktemp("findings"), 3, Silent())


def test_the_preset_reads_what_is_drawn(drawn: Path) -> None:
    found = find_images(drawn, load_competition("demo-multilabel"))
    table = pd.read_csv(drawn / "findings.csv")
    assert found.multilabel
    assert len(found.table) == len(table) == len(list((drawn / "images").iterdir()))
    assert (found.table["mask"] != "").all()
    assert found.table["group"].nunique() == 8
    assert load_competition("demo-multilabel").targets() == sorted(NAMES, key=NAMES.index)


def test_drawing_again_changes_nothing_and_another_seed_all(drawn: Path, tmp_path: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in (drawn / "images").iterdir()}
    make_finding_demo(drawn, 3, Silent())
    assert before == {path.name: path.stat().st_mtime_ns for path in (drawn / "images").iterdir()}
    again = make_finding_demo(tmp_path / "a", 3, Silent())
    other = make_finding_demo(tmp_path / "b", 4, Silent())
    for name in ("findings.csv", "images/0000_0.png", "masks/0000_0.png"):
        assert (again / name).read_bytes() == (drawn / name).read_bytes()
    assert (other / "findings.csv").read_bytes() != (drawn / "findings.csv").read_bytes()
    make_finding_demo(again, 4, Silent())
    assert (again / "findings.csv").read_bytes() == (other / "findings.csv").read_bytes()


def test_images_that_were_not_drawn_are_kept(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(DataError, match="did not draw"):
        make_finding_demo(tmp_path, 0, Silent())


def test_findings_are_as_frequent_as_said_and_some_together() -> None:
    with patch.object(finding_data, "PATIENTS", 1500), patch.object(finding_data, "RATES", RATES):
        rows = finding_data._plan(0)
    truth = truth_of_findings([str(row["Finding Labels"]) for row in rows], NAMES)
    share = dict(zip(NAMES, truth.mean(axis=0), strict=True))
    assert 0.02 < share["Nodule"] < 0.06
    assert 0.15 < share["Device"] < 0.24
    large = truth[:, NAMES.index("Cardiomegaly")] == 1
    fluid = truth[:, NAMES.index("Effusion")] == 1
    assert fluid[large].mean() > 1.5 * fluid[~large].mean()
    assert (truth.sum(axis=1) >= 2).mean() > 0.1
    assert (truth.sum(axis=1) == 0).mean() > 0.2


@pytest.mark.parametrize("finding", FINDINGS)
def test_each_finding_shows(finding: str) -> None:
    """Brighter where it is drawn: the same chest is taken with it and without."""
    changed = []
    for patient in range(3):
        chance = patch("kagglecxr.data.phantoms.finding_phantoms.photograph", _attenuation)
        with chance:
            plain, seen = (draw_finding_phantom(some, patient, 0, 0) for some in ((), (finding,)))
        changed.append(float((seen - plain).max()))
    assert min(changed) > 0.1


def _attenuation(canvas: object, attenuation: np.ndarray, *_: object) -> np.ndarray:
    return attenuation


def test_masks_are_those_of_the_lungs(drawn: Path) -> None:
    for path in sorted((drawn / "masks").iterdir())[:4]:
        mask = read_image(path)
        assert set(np.unique(mask)) <= {0, 255}
        assert 0.1 < (mask > 0).mean() < 0.5
