"""What do parts of the image tell of the class? Heads are trained and tested on each of them.

A shortcut is there to be learned where the background alone tells the class, as it does in
collections in which each class came from another hospital (Maguolo and Nanni 2021,
arXiv:2004.12823).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kagglecxr.core.intervals import GroupedRows, Interval, percentile_interval
from kagglecxr.core.metrics import Truth
from kagglecxr.core.progress import Reporter
from kagglecxr.shortcuts.heads import held_out_targets, split_problems
from kagglecxr.shortcuts.held_out import Array, AuditedImages, HeldOutModels, Outputs
from kagglecxr.shortcuts.problems import mean_known, scores_of_targets
from kagglecxr.shortcuts.regions import VARIANTS, WHOLE

AS_TRAINED = "the model itself"
RESAMPLES = 1000


@dataclass(frozen=True)
class RegionMatrix:
    """Probabilities of the targets by what a head was trained on, and what it was shown.

    Attributes:
        probabilities: (N, targets) by (trained on, shown); of the model as it was trained as well,
            under `AS_TRAINED`.
        classes: (N,) the true ones, or (N, findings).
        groups: (N,).
    """

    probabilities: Mapping[tuple[str, str], Array]
    classes: Truth
    groups: npt.NDArray[np.object_]

    def recalls(self, trained: str, shown: str) -> npt.NDArray[np.float64]:
        """Returns (targets,) the recall of each class, or of findings the AUC; NaN without images.

        Their mean is the balanced accuracy, or the mean AUC.
        """
        return scores_of_targets(self.classes, self.probabilities[trained, shown])

    def score(self, trained: str, shown: str, random: np.random.Generator) -> Interval:
        """Returns the balanced accuracy, or the mean AUC, with its interval over patients."""
        return self.scores(trained, shown, random)[0]

    def scores(
        self, trained: str, shown: str, random: np.random.Generator
    ) -> tuple[Interval, list[Interval]]:
        """Returns the mean score and that of each target, with their intervals over patients."""
        probabilities = self.probabilities[trained, shown]
        whole = scores_of_targets(self.classes, probabilities)
        members = GroupedRows(self.groups)
        resampled = (members.resample(random) for _ in range(RESAMPLES))
        drawn = np.array(
            [scores_of_targets(self.classes[rows], probabilities[rows]) for rows in resampled]
        )
        # Of fewer targets the mean is another score: 1 of those that are always told, for example.
        means = drawn[:, ~np.isnan(whole)].mean(axis=1)
        each = [percentile_interval(*one) for one in zip(whole.tolist(), drawn.T, strict=True)]
        return percentile_interval(mean_known(whole), means), each


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
    truth, groups, folds = audited.classes, audited.groups, audited.folds
    splits, targets = split_problems(truth, groups, folds, seed), whole.probabilities.shape[1]
    probabilities = {(AS_TRAINED, name): each.probabilities for name, each in outputs.items()}
    features = {name: each.features for name, each in outputs.items()}
    for trained, learned in features.items():
        shown = held_out_targets(learned, features, truth, folds, splits, targets)
        probabilities |= {(trained, name): each for name, each in shown.items()}
    return RegionMatrix(probabilities, truth, groups)
