"""Reference entries of the rehearsal leaderboard: what a submission must beat to mean anything."""

import cv2
import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kagglecxr.data.prepare import PreparedData

THUMBNAIL_SIZE = 24


def baseline_predictions(prepared: PreparedData) -> dict[str, npt.NDArray[np.float64]]:
    """The probabilities (test images, targets) of each reference, by its name.

    - majority class: everything is the most frequent target of the training part;
    - pixel logistic regression: on 24x24 grey pixels, targets weighed alike.
    """
    truth = prepared.target_ids()
    targets = len(prepared.competition.targets())
    test = prepared.index.rows("test")
    majority = np.zeros((len(test), targets))
    majority[:, np.bincount(truth, minlength=targets).argmax()] = 1.0
    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced", max_iter=1000)
    )
    model.fit(_thumbnails(prepared, prepared.index.rows("train")), truth)
    return {
        "majority class": majority,
        "pixel logistic regression": model.predict_proba(_thumbnails(prepared, test)),
    }


def _thumbnails(prepared: PreparedData, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.float32]:
    images = prepared.cache.images
    small = [
        cv2.resize(images[row], (THUMBNAIL_SIZE, THUMBNAIL_SIZE), interpolation=cv2.INTER_AREA)
        for row in rows
    ]
    return np.stack(small).reshape(len(rows), -1).astype(np.float32)
