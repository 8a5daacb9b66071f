"""Adversarial validation: can a classifier tell training from test images?

Where it can, test images are drawn from another distribution, and out-of-fold scores are no
estimate of the leaderboard's. An AUC of 0.5 is chance.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

from kagglecxr.core.intervals import Interval, bootstrap_interval
from kagglecxr.core.metrics import METRICS, area_under_curve
from kagglecxr.data.images.image_array import each_image
from kagglecxr.data.prepared import PreparedData
from kagglecxr.data.shift.image_features import Features, acquisition_features, content_features

IMAGES = 1000
"""Maximum number of images of each split that are compared, drawn at random."""
FOLDS = 5
TREES = 30
RESAMPLES = 300
"""Enough for two decimals of an interval."""
SLIGHT = 0.6
CLEAR = 0.7
"""AUCs from which on a score of the test set is expected to differ a little, and to differ."""
NAMED = 3
"""Number of features that the sentence names."""


@dataclass(frozen=True)
class Shift:
    """How well training and test images are told apart.

    Attributes:
        acquisition, content: the AUC of classifiers by `acquisition_features` and by
            `content_features`, of images whose group they were not trained on.
        features: `feature,auc,train,test`, the most telling first: the AUC of ranking images by one
            feature alone, in the direction that is above 0.5; and its median in each split, or of
            a source or file type its share.
        test: the number of test images that were compared.
    """

    acquisition: Interval
    content: Interval
    features: pd.DataFrame
    test: int

    @property
    def parts(self) -> dict[str, Interval]:
        """The AUC of both classifiers by what they are given."""
        return {"acquisition": self.acquisition, "image content": self.content}


def compare_splits(prepared: PreparedData, random: np.random.Generator) -> Shift | None:
    """Measures the shift between the splits of prepared data, or between samples of large ones.

    Returns:
        None if there is no test set, or a split has fewer groups than the validation has folds.
    """
    splits = [prepared.index.rows(split) for split in ("train", "test")]
    rows = np.concatenate(
        [np.sort(random.choice(part, min(len(part), IMAGES), replace=False)) for part in splits]
    )
    table = prepared.index.table.iloc[rows].reset_index(drop=True)
    is_test = (table["split"] == "test").to_numpy()
    groups = table["group"].to_numpy(dtype=object)
    if any(len(set(groups[is_test == split])) < FOLDS for split in (False, True)):
        return None
    thumbnails = prepared.cache.measures["thumbnail"][rows]
    images = each_image(prepared.cache.images, rows)
    acquisition = acquisition_features(table, thumbnails, images)
    content = content_features(thumbnails, random)
    return measure_shift(acquisition, content, is_test, groups, random)


def measure_shift(
    acquisition: pd.DataFrame,
    content: Features,
    is_test: npt.NDArray[np.bool_],
    groups: npt.NDArray[np.object_],
    random: np.random.Generator,
) -> Shift:
    """Trains and scores the classifiers, given (N,) rows of both splits.

    Trees need no scaling, and also find a shift that is no shift of a mean, such as two scanners in
    one split and one in the other. Extremely randomised ones (Geurts et al. 2006) are the fastest
    that do not start threads, which a busy machine delays a hundredfold. Unknown values count as
    medians. Images of a group are never both trained on and scored. Of splits made at random by
    group the AUC is 0.5 on average; it is less if they were made alike in classes or sources.
    """
    seed = int(random.integers(1 << 31))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    held_out = list(folds.split(content, is_test, groups))

    def separability(features: Features) -> Interval:
        model = ExtraTreesClassifier(TREES, min_samples_leaf=10, random_state=seed)
        chances = cross_val_predict(model, features, is_test, cv=held_out, method="predict_proba")
        truth = is_test.astype(np.intp)
        return bootstrap_interval(METRICS["auc"], truth, chances, groups, random, RESAMPLES)

    numbers = acquisition.astype(np.float64)
    return Shift(
        separability(numbers.fillna(numbers.median()).fillna(0.0).to_numpy()),
        separability(content),
        rank_features(acquisition, is_test),
        int(is_test.sum()),
    )


def rank_features(features: pd.DataFrame, is_test: npt.NDArray[np.bool_]) -> pd.DataFrame:
    """Returns `Shift.features`; features that are constant or unknown in a split are left out."""
    lines = []
    for name, values in features.items():
        known = values.notna().to_numpy()
        if values[known].nunique() < 2 or len(set(is_test[known])) < 2:
            continue
        auc = area_under_curve(is_test[known], values[known].to_numpy(np.float64))
        typical = [
            float(part.mean() if part.dtype == np.bool_ else part.median())
            for part in (values[~is_test], values[is_test])
        ]
        lines.append((str(name), max(auc, 1 - auc), *typical))
    table = pd.DataFrame(lines, columns=["feature", "auc", "train", "test"])
    return table.sort_values("auc", ascending=False, kind="stable", ignore_index=True)


def describe(shift: Shift) -> str:
    """Says whether test images differ, by what, and what that means for the score, in one line."""
    measured = ", ".join(
        f"by {what} AUC {auc.score:.2f} ({auc.low:.2f} to {auc.high:.2f})"
        for what, auc in shift.parts.items()
    )
    told = [auc for auc in shift.parts.values() if auc.low > 0.5]
    if not told and max(auc.high for auc in shift.parts.values()) >= CLEAR:
        return (
            f"{shift.test} test images are too few to say whether they differ from training "
            f"images: {measured}, where 0.5 is chance."
        )
    clearest = max((auc.score for auc in told), default=0.5)
    if clearest < SLIGHT:
        return (
            f"Training and test images {'can hardly' if told else 'cannot'} be told apart: "
            f"{measured}, where 0.5 is chance. "
            "Out-of-fold scores should carry over to the test set."
        )
    if clearest < CLEAR:
        verdict, outlook = "differ slightly", "differ a little from"
    else:
        verdict, outlook = "differ", "be other than, and most often below,"
    telling = ", ".join(
        f"{row['feature']} {row['auc']:.2f} ({show_number(row['train'])} in training, "
        f"{show_number(row['test'])} in test)"
        for row in shift.features.head(NAMED).to_dict("records")
    )
    return (
        f"Test images {verdict} from training images: {measured}, where 0.5 is chance. Most "
        f"telling: {telling or 'none alone'}. Expect the test set's score to {outlook} the "
        "out-of-fold score."
    )


def show_number(value: float) -> str:
    """Shows three digits of a number, and all of a whole one.

    >>> show_number(1024.0), show_number(0.12345)
    ('1,024', '0.123')
    """
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def describe_shift(prepared: PreparedData, random: np.random.Generator) -> str:
    """Returns `describe` of prepared data; empty if there is nothing to compare."""
    shift = compare_splits(prepared, random)
    return "" if shift is None else describe(shift)
