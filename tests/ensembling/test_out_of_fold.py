"""Out-of-fold predictions that do not belong together are refused in one sentence."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kagglecxr.core.errors import DataError
from kagglecxr.ensembling.blend_selection import OutOfFold
from kagglecxr.ensembling.out_of_fold import OOF, align_out_of_fold
from kagglecxr.inference.predictions import Predictions
from tests.conftest import PreparedDemo

Change = Callable[[Predictions], Predictions]


def written(demo: PreparedDemo, run: Path, change: Change = lambda given: given) -> Path:
    """A run's folder with out-of-fold predictions in another order than the index's."""
    prepared = demo.prepared
    ids = np.array(prepared.index.column("id", prepared.index.rows("train")))
    random = np.random.default_rng(0)
    order = random.permutation(len(ids))
    probabilities = random.dirichlet(np.ones(4), len(ids)).astype(np.float32)
    run.mkdir()
    kept = Predictions(ids[order], probabilities[order], prepared.target_ids()[order])
    change(kept).save(run / "oof.npz")
    return run


def aligned(demo: PreparedDemo, runs: list[Path]) -> OutOfFold:
    return align_out_of_fold(
        {run / OOF: Predictions.load(run / OOF) for run in runs}, demo.prepared
    )


def test_they_are_read_in_the_indexs_order(demo: PreparedDemo, tmp_path: Path) -> None:
    runs = [written(demo, tmp_path / name) for name in ("one", "other")]
    oof = aligned(demo, runs)
    assert oof.names == ["one", "other"]
    expected = np.random.default_rng(0)
    expected.permutation(len(oof.truth))
    np.testing.assert_allclose(
        oof.runs[0], expected.dirichlet(np.ones(4), len(oof.truth)), atol=1e-6
    )
    np.testing.assert_array_equal(oof.truth, demo.prepared.target_ids())
    for group in np.unique(oof.groups):
        assert len(set(oof.fold[oof.groups == group])) == 1


def changed_rows(rows: list[float]) -> Change:
    def change(given: Predictions) -> Predictions:
        probabilities = given.probabilities.copy()
        probabilities[3] = rows
        return Predictions(given.ids, probabilities, given.truth)

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda given: Predictions(given.ids[1:], given.probabilities[1:], given.truth[1:]),
            "other images",
        ),
        (
            lambda given: Predictions(
                np.char.add(given.ids, "x"), given.probabilities, given.truth
            ),
            "other images",
        ),
        (
            lambda given: Predictions(given.ids, given.probabilities, given.truth[::-1]),
            "other targets, or have them in another order",
        ),
        (
            lambda given: Predictions(given.ids, given.probabilities[:, :3], given.truth),
            "3 columns for 4 targets",
        ),
        (changed_rows([0.5, 0.5, 0.5, 0.5]), r"1 such rows, the first \[0\.5, 0\.5, 0\.5, 0\.5\]"),
        (changed_rows([np.nan, 0.5, 0.25, 0.25]), "no probabilities"),
        (changed_rows([1.5, -0.5, 0.0, 0.0]), "no probabilities"),
    ],
)
def test_what_does_not_belong_together_is_refused(
    demo: PreparedDemo, tmp_path: Path, change: Change, says: str
) -> None:
    runs = [written(demo, tmp_path / "good"), written(demo, tmp_path / "bad", change)]
    with pytest.raises(DataError, match=f"{says}.*" if "such" in says else says) as refused:
        aligned(demo, runs)
    assert "bad" in str(refused.value)
    assert "leave it out" in str(refused.value)
