"""Out-of-fold predictions whose quality is decided, without any image."""

import numpy as np
from scipy.special import expit, softmax

from kagglecxr.ensembling.blend_selection import OutOfFold


def made_out_of_fold(
    noises: tuple[float, ...],
    *,
    images: int = 400,
    targets: int = 3,
    common: float = 0.5,
    sharpness: float = 1.0,
    seed: int = 0,
) -> OutOfFold:
    """Runs that see the truth through noise of their own and noise that they share.

    Images are in groups of one or more, folds are five and no group is in two.
    """
    random = np.random.default_rng(seed)
    truth = np.concatenate([np.arange(targets), random.integers(0, targets, images - targets)])
    group = random.integers(0, images, images)
    shared = 2.0 * np.eye(targets)[truth] + common * random.normal(size=(images, targets))
    runs = [
        softmax(sharpness * (shared + noise * random.normal(size=shared.shape)), axis=1)
        for noise in noises
    ]
    return OutOfFold(
        [f"run-{number}" for number in range(len(runs))],
        np.stack(runs),
        truth,
        group % 5,
        np.array([f"patient {number}" for number in group], dtype=object),
    )


def made_findings(
    noises: tuple[float, ...], *, images: int = 400, sharpness: float = 1.0, seed: int = 0
) -> OutOfFold:
    """Runs that see findings through noise: half, a tenth and a twentieth of the images have them.

    A tenth of the cells is not known.
    """
    random = np.random.default_rng(seed)
    share = np.array([0.5, 0.1, 0.05])
    is_there = random.random((images, 3)) < share
    seen = 2.0 * is_there + random.normal(size=is_there.shape) - 2.0
    runs = [expit(sharpness * (seen + n * random.normal(size=seen.shape))) for n in noises]
    truth = np.where(random.random(is_there.shape) < 0.1, np.nan, is_there)
    return OutOfFold(
        [f"run-{number}" for number in range(len(runs))],
        np.stack(runs),
        truth,
        np.arange(images) % 5,
        np.array([f"patient {number}" for number in range(images)], dtype=object),
    )
