"""The mean of runs that predict findings."""

from collections.abc import Sequence

import numpy as np

from kagglecxr.core.errors import SettingError
from kagglecxr.core.run_record import OOF
from kagglecxr.data.prepared import PreparedData
from kagglecxr.ensembling.ensemble_options import AUTO, EnsembleOptions
from kagglecxr.inference.members import Member
from kagglecxr.inference.predictions import Predictions, average


def check_plain_mean(options: EnsembleOptions) -> None:
    """Refuses what is of classes that exclude each other.

    Raises:
        SettingError: another blend than the mean, calibration, thresholds or views.
    """
    plain = {
        "blend": (AUTO, "mean"),
        "calibrate": (AUTO, "none"),
        "thresholds": (AUTO, "none"),
        "views": (AUTO, ""),
    }
    for name, allowed in plain.items():
        value = getattr(options, name) or ""
        if value not in allowed:
            raise SettingError(
                f"Runs that predict findings are averaged, and nothing else. Received: --{name} "
                f"{value}. Leave it out."
            )


def mean_of_findings(members: Sequence[Member], prepared: PreparedData) -> Predictions:
    """Returns the out-of-fold predictions of the mean of runs, in the order of the index.

    Raises:
        DataError: a run's predictions are damaged, or of other images.
    """
    ids = prepared.index.column("id", prepared.index.rows("train"))
    runs = [Predictions.load(member.run / OOF).of(ids) for member in members]
    return Predictions(np.array(ids), average(runs), prepared.findings())
