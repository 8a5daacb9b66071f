"""Which predicted findings are sure enough to learn from: by calibrated confidence, one by one.

A finding's probabilities are calibrated by logistic regression on their log-odds (Platt 1999,
"Probabilistic outputs for support vector machines") on images whose labels are known and which the
models have not learned from. Sigmoids of rare findings are rarely right as often as they say, so
that a threshold on the plain probabilities would choose by how a loss was weighted.
"""

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from kagglecxr.core.metrics import Probabilities
from kagglecxr.inference.predictions import log_odds

SURE = 0.9
"""The calibrated confidence from which on a label is used."""
FEWEST = 10
"""Images with a finding, and without it, that a calibration needs at least."""


def sure_findings(
    held_out: Probabilities, truth: npt.NDArray[np.floating], predicted: Probabilities
) -> npt.NDArray[np.float32]:
    """Returns calibrated probabilities (M, K) where they are sure, NaN elsewhere.

    A finding is surely there from a probability of 0.9 on. It is surely absent up to 0.1, and up to
    half of its share among the images: of a rare finding a model that knows nothing would be right
    about nine absences in ten, and say nothing by them. Of a finding that is calibrated on too few
    images, or of which one of both kinds is never sure, nothing is used: labels of one kind alone
    would teach that kind.

    Args:
        held_out: (N, K) out-of-fold probabilities.
        truth: (N, K) what is true of these images: 1, 0 or, not known, NaN.
        predicted: (M, K) probabilities of the images to label.
    """
    labels = np.full(predicted.shape, np.nan, np.float32)
    for k in range(predicted.shape[1]):
        known = ~np.isnan(truth[:, k])
        is_there = truth[known, k] == 1
        if min(is_there.sum(), (~is_there).sum()) < FEWEST:
            continue
        fitted = LogisticRegression().fit(log_odds(held_out[known, k, None]), is_there)
        if fitted.coef_[0, 0] <= 0:
            # The higher the probability, the less often it is there: the model knows nothing of it.
            continue
        calibrated = fitted.predict_proba(log_odds(predicted[:, k, None]))[:, 1]
        surely_there = calibrated >= SURE
        surely_absent = calibrated <= min(1.0 - SURE, is_there.mean() / 2.0)
        if surely_there.any() and surely_absent.any():
            labels[:, k] = np.where(surely_there | surely_absent, calibrated, np.nan)
    return labels
