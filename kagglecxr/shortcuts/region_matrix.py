"""What do parts of the image tell of the class? Heads are trained and tested on each of them.

A shortcut is there to be learned where the background alone tells the class, as it does in
collections in which each class came from another hospital (Maguolo and Nanni 2021,
arXiv:2004.12823).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline as Estimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from kagglecxr.core.intervals import Interval, bootstrap_interval
from kagglecxr.core.metrics import METRICS
from kagglecxr.core.progress import Reporter
from kagglecxr.data.folds import make_folds
from kagglecxr.shortcuts.held_out import Array, AuditedImages, HeldOutModels, Outputs
from kagglecxr.shortcuts.regions import VARIANTS, WHOLE

SPLITS = 5
COMPONENTS = 50
STRENGTH = 0.1
"""The inverse of the head's penalty: features are many more than images."""
AS_TRAINED = "the model itself"
BALANCED = METRICS["balanced_accuracy"]


@dataclass(frozen=True)
class RegionMatrix:
    """Probabilities of the classes by what a head was trained on, and what it was shown.

    Attributes:
        probabilities: (N, classes) by (trained on, shown); of the model as it was trained as well,
            under `AS_TRAINED`.
        classes: (N,) the true ones.
        groups: (N,).
    """

    probabilities: Mapping[tuple[str, str], Array]
    classes: npt.NDArray[np.intp]
    groups: npt.NDArray[np.object_]

    def recalls(self, trained: str, shown: str) -> npt.NDArray[np.float64]:
        """Returns (classes,) the share of each class that is told; NaN of a class without images.

        Their mean is the balanced accuracy.
        """
        predicted = self.probabilities[trained, shown].argmax(axis=1)
        count = self.probabilities[trained, shown].shape[1]
        right = np.bincount(self.classes, predicted == self.classes, minlength=count)
        images = np.bincount(self.classes, minlength=count)
        return np.asarray(np.divide(right, images, out=np.full(count, np.nan), where=images > 0))

    def score(self, trained: str, shown: str, random: np.random.Generator) -> Interval:
        """Returns the balanced accuracy with its interval over patients."""
        return bootstrap_interval(
            BALANCED, self.classes, self.probabilities[trained, shown], self.groups, random
        )


def measure_regions(
    audited: AuditedImages, models: HeldOutModels, whole: Outputs, seed: int, reporter: Reporter
) -> RegionMatrix:
    """Trains a head on the features of each part of the images, and shows it each of them.

    Features are those of the fold that held an image out, so that it has not learned them; a head
    is trained and tested inside of a fold, by cross-validation that keeps patients together. Images
    whose lungs are not known are left out.

    Args:
        audited: the images.
        models: of the run.
        whole: what it says of the images as they are.
        seed: of the cross-validation.
        reporter: shows the progress.
    """
    some = np.flatnonzero(audited.have_lungs)
    images, lungs, folds = audited.images[some], audited.lungs[some], audited.folds[some]
    outputs = {WHOLE: Outputs(whole.probabilities[some], whole.features[some])}
    parts = {name: part for name, part in VARIANTS.items() if name != WHOLE}
    with reporter.bar("Parts of the images", len(parts)) as bar:
        for name, part in parts.items():
            outputs[name] = models.predict(part(images, lungs), folds)
            bar.advance()
    classes, groups = audited.classes[some], audited.groups[some]
    count = whole.probabilities.shape[1]
    probabilities = {(AS_TRAINED, name): each.probabilities for name, each in outputs.items()}
    features = {name: each.features for name, each in outputs.items()}
    for trained in outputs:
        held_out = held_out_probabilities(
            features[trained], features, classes, groups, folds, count, seed
        )
        probabilities |= {(trained, shown): each for shown, each in held_out.items()}
    return RegionMatrix(probabilities, classes, groups)


def held_out_probabilities(
    learned: Array,
    shown: Mapping[str, Array],
    classes: npt.NDArray[np.intp],
    groups: npt.NDArray[np.object_],
    folds: npt.NDArray[np.intp],
    count: int,
    seed: int,
) -> dict[str, Array]:
    """Trains heads on some features and shows them others of images that they did not learn from.

    Args:
        learned: (N, channels).
        shown: (N, channels) by name.
        classes: (N,) below `count`.
        groups: (N,), which are kept together.
        folds: (N,) whose features an image has; those of two folds cannot be compared.
        count: the number of classes.
        seed: of the splits.

    Returns:
        (N, count) by the name of what was shown.
    """
    found = {name: np.full((len(classes), count), 1 / count, np.float32) for name in shown}
    for fold in np.unique(folds):
        rows = np.flatnonzero(folds == fold)
        split = _split(classes[rows], groups[rows], seed)
        for part in range(int(split.max()) + 1):
            train, test = rows[(split >= 0) & (split != part)], rows[split == part]
            head = fit_head(learned[train], classes[train])
            for name, features in shown.items():
                found[name][test] = 0
                found[name][np.ix_(test, head.classes_)] = head.predict_proba(features[test])
    return found


def _split(
    classes: npt.NDArray[np.intp], groups: npt.NDArray[np.object_], seed: int
) -> npt.NDArray[np.intp]:
    """(N,) in which split an image is shown; -1 of classes of a single patient, and of one class.

    In each split there is an image of each of the other classes.
    """
    split = np.full(len(classes), -1, np.intp)
    patients = pd.Series(groups).groupby(classes).nunique()
    usable = np.isin(classes, patients.index[patients > 1])
    if (patients > 1).sum() > 1:
        names = [str(one) for one in classes[usable]]
        parts = min(SPLITS, int(patients[patients > 1].min()))
        split[usable] = make_folds(names, list(groups[usable]), [""] * len(names), parts, seed)
    return split


def fit_head(features: Array, classes: npt.NDArray[np.intp]) -> Estimator:
    """Fits a classifier of features: standardised, their principal directions, and a logistic.

    Classes weigh the same, however many images they have. Of features that are all the same, as of
    black images, it guesses.
    """
    if not np.ptp(features, axis=0).any():
        return DummyClassifier(strategy="uniform").fit(features, classes)
    head = make_pipeline(
        StandardScaler(),
        PCA(min(COMPONENTS, *features.shape), random_state=0),
        LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=2000),
    )
    # Threads of so small products wait for one another, on a busy machine a hundred times as long.
    with threadpool_limits(1):
        return head.fit(features, classes)
