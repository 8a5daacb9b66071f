"""blend.json: written, read again, and refused where it is damaged or of an older version."""

from pathlib import Path

import numpy as np
import pytest

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import read_json, write_json
from kagglecxr.ensembling.blends import WeightedBlend
from kagglecxr.ensembling.calibration import Calibration
from kagglecxr.ensembling.ensemble_record import EnsembleRecord, read_ensemble
from kagglecxr.ensembling.fitting import FittedEnsemble

RECORD = EnsembleRecord(
    runs=["a", "b"],
    combine=FittedEnsemble(
        WeightedBlend([0.25, 0.75]), Calibration("vector", [1.0, 0.5], [0.0, 0.25]), [0.8, 1.2]
    ),
    targets=["ill", "well"],
    views=["identity"],
    metric="accuracy",
    out_of_fold=0.9,
    apparent=0.925,
    submission="submissions/x.csv",
)


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    RECORD.write(tmp_path)
    again = read_ensemble(tmp_path)
    assert again == RECORD
    given = [np.array([[0.9, 0.1]]), np.array([[0.2, 0.8]])]
    np.testing.assert_array_equal(again.combine(given), RECORD.combine(given))
    assert not again.is_mean


@pytest.mark.parametrize("change", ["older", "unknown", "no JSON", "no file"])
def test_what_is_no_record_is_refused_with_the_verb_to_run(tmp_path: Path, change: str) -> None:
    RECORD.write(tmp_path)
    path = tmp_path / "blend.json"
    if change == "older":
        write_json(path, {"runs": ["a"], "metric": "auc", "out_of_fold": 0.5, "submission": "x"})
    elif change == "unknown":
        write_json(path, {**read_json(path), "more": 1})
    elif change == "no JSON":
        path.write_text("{")
    else:
        path.unlink()
    with pytest.raises(DataError, match=r"blend\.json.*verb ensemble"):
        read_ensemble(tmp_path)
