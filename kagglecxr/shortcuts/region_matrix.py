"""What do parts of the image tell of the class? Heads are trained and tested on each of them.

A shortcut is there to be learned where the background alone tells the class, as it does in
collections in which each class came from another hospital (Maguolo and Nanni 2021,
arXiv:2004.12823).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kagglecxr.core.intervals import Interval, bootstrap_interval
from kagglecxr.core.metrics import METRICS, Labels, Metric, Probabilities
from kagglecxr.core.progress import Reporter
from kagglecxr.shortcuts.heads import held_out_probabilities, split_patients
from kagglecxr.shortcuts.held_out import Array, AuditedImages, HeldOutModels, Outputs
from kagglecxr.shortcuts.regions import VARIANTS, WHOLE

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
        present = len(np.unique(self.classes))

        def measure(truth: Labels, probabilities: Probabilities) -> float:
            # Of fewer classes it is another score: 1 of those that are always told, for example.
            is_whole = len(np.unique(truth)) == present
            return BALANCED(truth, probabilities) if is_whole else float("nan")

        return bootstrap_interval(
            Metric(BALANCED.name, measure),
            self.classes,
            self.probabilities[trained, shown],
            self.groups,
            random,
        )


def measure_regions(
    audited: AuditedImages, models: HeldOutModels, whole: Outputs, seed: int, reporter: Reporter
) -> RegionMatrix:
    """Trains a head on the features of each part of the images, and shows it each of them.

    Features are those of the fold that held an image out, so that it has not learned them; a head
    is trained and tested inside of a fold, by cross-validation that keeps patients together.

    Args:
        audited: images that can be compared, see `comparable_rows`.
        models: of the run.
        whole: what it says of the images as they are.
        seed: of the cross-validation.
        reporter: shows the progress.
    """
    outputs = {WHOLE: whole}
    parts = {name: part for name, part in VARIANTS.items() if name != WHOLE}
    with reporter.bar("Parts of the images", len(parts)) as bar:
        for name, part in parts.items():
            outputs[name] = models.predict(part(audited.images, audited.lungs), audited.folds)
            bar.advance()
    classes, groups, folds = audited.classes, audited.groups, audited.folds
    split, count = split_patients(classes, groups, folds, seed), whole.probabilities.shape[1]
    probabilities = {(AS_TRAINED, name): each.probabilities for name, each in outputs.items()}
    features = {name: each.features for name, each in outputs.items()}
    for trained, learned in features.items():
        shown = held_out_probabilities(learned, features, classes, folds, split, count)
        probabilities |= {(trained, name): each for name, each in shown.items()}
    return RegionMatrix(probabilities, classes, groups)
