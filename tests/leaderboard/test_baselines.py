"""The baselines of the rehearsal leaderboard."""

import numpy as np
import pandas as pd
import pytest

from kagglecxr.leaderboard.baselines import BASELINES, baseline_predictions
from tests.conftest import PreparedDemo


def test_baselines_are_the_majority_and_a_pixel_regression(demo: PreparedDemo) -> None:
    predictions = baseline_predictions(demo.prepared)
    assert set(predictions) == {"majority class", "pixel logistic regression"}
    majority = predictions["majority class"]
    targets = demo.prepared.competition.targets()
    assert majority[:, targets.index("Normal")].tolist() == [1.0] * len(majority)
    labels = pd.Series(demo.prepared.index.column("label", demo.prepared.index.rows("train")))
    assert labels.value_counts().index[0] == "Normal"
    np.testing.assert_allclose(predictions["pixel logistic regression"].sum(axis=1), 1.0, rtol=1e-5)


def test_a_baseline_is_added_in_one_place(
    demo: PreparedDemo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BASELINES, "_entries", {})
    uniform = np.full((3, 2), 0.5)
    BASELINES.add_as("uniform")(lambda prepared: uniform)
    assert baseline_predictions(demo.prepared) == {"uniform": uniform}
