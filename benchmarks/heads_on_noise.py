"""How often do heads on features without any sign of a class pass for telling it?

Run: python -m benchmarks.heads_on_noise [DRAWS]

Intervals of the audit are of predictions that are given, and heads that learn from noise vary more
than these. Features are of patients, who have 1.4 images each on average.
"""

import sys

import numpy as np

from kagglecxr.core.intervals import Interval
from kagglecxr.core.metrics import Truth
from kagglecxr.shortcuts.heads import held_out_targets, split_problems
from kagglecxr.shortcuts.region_matrix import RegionMatrix

DRAWS, FEATURES, FOLDS = 100, 60, 3
CASES = ((290, 28), (290, 70), (600, 290))
"""Images, and how many of them have the finding or are of the second of two classes."""


def score_noise(truth: Truth, patients: np.ndarray, random: np.random.Generator) -> Interval:
    """Returns the score of heads on noise, of single labels or of a finding, with its interval."""
    count = int(patients.max()) + 1
    own = 0.5 * random.standard_normal((count, FEATURES))[patients]
    features = (own + random.standard_normal((len(patients), FEATURES))).astype(np.float32)
    folds, groups = patients % FOLDS, patients.astype(str).astype(object)
    splits = split_problems(truth, groups, folds, 0)
    shown = {"noise": features}
    targets = truth.shape[1] if truth.ndim == 2 else 2
    found = held_out_targets(features, shown, truth, folds, splits, targets)["noise"]
    can = splits[0] >= 0
    regions = RegionMatrix({("noise", "noise"): found[can]}, truth[can], groups[can])
    return regions.score("noise", "noise", random)


def main() -> None:
    """Prints, for each case, the mean score and how often its interval is above chance."""
    draws = int(sys.argv[1]) if sys.argv[1:] else DRAWS
    for images, present in CASES:
        scores: dict[str, list[Interval]] = {"single labels": [], "a finding": []}
        for draw in range(draws):
            random = np.random.default_rng([images, present, draw])
            count = round(images / 1.4)
            patients = random.integers(count, size=images)
            chosen = random.permutation(count)[: round(count * present / images)]
            classes = np.isin(patients, chosen).astype(np.intp)
            scores["single labels"].append(score_noise(classes, patients, random))
            scores["a finding"].append(score_noise(classes[:, None] + 0.0, patients, random))
        for name, found in scores.items():
            mean = np.mean([one.score for one in found])
            above = np.mean([one.low > 0.5 for one in found])
            sys.stdout.write(
                f"{present} of {images} images, {name}: mean {mean:.3f}, said to be told in "
                f"{above:.1%} of {draws} draws\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
