"""Measures how unlike a network's training images an image is, by features at several depths.

At each depth one Gaussian describes all training images, and an image is as unusual as its
Mahalanobis distance. After Lee et al. 2018, "A simple unified framework for detecting
out-of-distribution samples and adversarial attacks" (arXiv:1807.03888), with one Gaussian for all
classes, the marginal distance of Kamoi and Kobayashi 2020 (arXiv:2003.00402).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.utils.extmath import randomized_svd

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import atomic_write, open_arrays, read_json, write_json
from kagglecxr.core.run_record import NOVELTY, NOVELTY_THRESHOLD, fold_folder
from kagglecxr.inference.members import Member

Features = Sequence[npt.NDArray[np.float32]]
"""Pooled features (images, channels) by depth."""
Scores = npt.NDArray[np.float64]
"""(images,): the larger, the more unusual."""

FALSE_ALARMS = 0.01
"""The share of held-out images that count as unusual."""
MAX_DIRECTIONS = 64
"""A matrix of 1024 x 1024 at each depth of each fold would be as large as a small network."""


@dataclass(frozen=True)
class FeatureGaussian:
    """A Gaussian of features: its largest directions, and one variance in all others.

    That is the covariance of probabilistic PCA (Tipping and Bishop 1999), shrunk as Ledoit and
    Wolf (2004) do: with all directions it is exactly theirs.

    Attributes:
        mean: (channels,).
        directions: (directions, channels), orthonormal.
        deviations: (directions,), the standard deviations along them.
        rest: the standard deviation in every other direction.
    """

    mean: npt.NDArray[np.float32]
    directions: npt.NDArray[np.float32]
    deviations: npt.NDArray[np.float32]
    rest: np.float32

    def distances(self, features: npt.NDArray[np.floating]) -> Scores:
        """Returns the Mahalanobis distances (images,) of features (images, channels)."""
        centred = features.astype(np.float64) - self.mean
        along = centred @ self.directions.T.astype(np.float64)
        other = np.maximum(np.square(centred).sum(axis=1) - np.square(along).sum(axis=1), 0.0)
        squared = np.square(along / self.deviations).sum(axis=1)
        if len(self.directions) < len(self.mean):
            squared += other / np.square(np.float64(self.rest))
        return np.asarray(np.sqrt(squared), np.float64)


def fit_gaussian(features: npt.NDArray[np.floating], most: int = MAX_DIRECTIONS) -> FeatureGaussian:
    """Fits the Gaussian of features (images, channels), with `most` directions of its own."""
    mean = features.mean(axis=0, dtype=np.float64)
    centred = features - mean
    images, channels = centred.shape
    if most < min(images, channels):
        # Of 1024 channels in a third of the time of all directions, with distances within 2 %.
        _, singular, directions = randomized_svd(centred, most, random_state=0)
    else:
        _, singular, directions = np.linalg.svd(centred, full_matrices=False)
    average = np.square(centred).mean()
    shrinkage = ledoit_wolf_shrinkage(centred, assume_centered=True)
    variances = (1 - shrinkage) * np.square(singular) / images + shrinkage * average
    rest = (channels * average - variances.sum()) / max(channels - len(variances), 1)
    # Without any variance, as of dead channels alone, distances would be infinite.
    least = max(1e-7 * variances.max(), 1e-12)
    return FeatureGaussian(
        mean.astype(np.float32),
        directions.astype(np.float32),
        np.sqrt(np.maximum(variances, least)).astype(np.float32),
        np.float32(np.sqrt(max(rest, least))),
    )


@dataclass(frozen=True)
class Novelty:
    """How unusual images are for the network of one fold.

    Attributes:
        gaussians: of the features of the images it learned from, by depth.
        scales: (depths,), by which the distances of each depth are divided.
        held_out: (images,), the scores of the fold's held-out images.
    """

    gaussians: Sequence[FeatureGaussian]
    scales: npt.NDArray[np.float64]
    held_out: Scores

    def scores(self, features: Features) -> Scores:
        """Returns the largest distance of all depths, each relative to its scale.

        Of X-rays upside down it tells 99 %, the mean over the depths 87 % (ImageNet's MobileNet).
        """
        relative: Scores = _distances(self.gaussians, features) / self.scales
        return np.asarray(relative.max(axis=1), np.float64)

    def relative_to(self, threshold: float) -> "Novelty":
        """Returns the same with scores divided by a threshold."""
        return replace(self, scales=self.scales * threshold, held_out=self.held_out / threshold)

    def save(self, path: Path) -> None:
        """Writes an .npz file, atomically."""
        arrays: dict[str, npt.NDArray[np.generic]] = {
            f"{name}-{depth}": np.asarray(array)
            for depth, gaussian in enumerate(self.gaussians)
            for name, array in vars(gaussian).items()
        }
        with atomic_write(path) as temporary:
            np.savez(temporary, scales=self.scales, held_out=self.held_out, **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> "Novelty":
        """Reads a file that `save` wrote.

        Raises:
            DataError: the file is damaged.
        """
        names = [field.name for field in fields(FeatureGaussian)]
        problem = (
            f"What a fold knows of its training images cannot be read. Received: {path}. Remove "
            f"{NOVELTY_THRESHOLD} of that run to predict without it, or train again."
        )
        with open_arrays(path, problem) as arrays:
            gaussians = [
                FeatureGaussian(*(arrays[f"{name}-{depth}"] for name in names))
                for depth in range(len(arrays["scales"]))
            ]
            return cls(gaussians, arrays["scales"], arrays["held_out"])


def fit_novelty(learned: Features, held_out: Features) -> Novelty:
    """Fits Gaussians to the features of the images that a network learned from.

    Each depth is scaled by the 99 % quantile of the held-out images' distances, since a network
    knows the images that it learned from too well, the deeper the better.

    Args:
        learned: (images, channels) by depth, of the images without augmentation.
        held_out: of the images that were held out, likewise.
    """
    gaussians = [fit_gaussian(depth) for depth in learned]
    scales = np.quantile(_distances(gaussians, held_out), 1 - FALSE_ALARMS, axis=0)
    # A depth at which all images are alike has no scale of its own.
    scales = np.maximum(scales, 1.0)
    unscored = Novelty(gaussians, scales, np.empty(0))
    return replace(unscored, held_out=unscored.scores(held_out))


def find_threshold(held_out: Scores) -> float:
    """Returns the score that an image like the held-out ones exceeds with 1 % probability at most.

    Among n images it is the conformal quantile, of rank ceil((n + 1) 0.99) (Vovk et al. 2005);
    below 99 images the largest score.
    """
    rank = math.ceil((len(held_out) + 1) * (1 - FALSE_ALARMS))
    return float(np.sort(held_out)[min(rank, len(held_out)) - 1])


def write_threshold(run: Path, folds: int) -> None:
    """Writes the threshold of a run from its folds' held-out images, if all folds know theirs."""
    paths = [fold_folder(run, fold) / NOVELTY for fold in range(folds)]
    if not all(path.is_file() for path in paths):
        return
    held_out = np.concatenate([Novelty.load(path).held_out for path in paths])
    threshold = find_threshold(held_out)
    write_json(run / NOVELTY_THRESHOLD, {"threshold": threshold, "images": len(held_out)})


def load_novelties(members: Sequence[Member]) -> dict[tuple[int, int], Novelty]:
    """Reads what the folds of runs know of their training images, relative to their thresholds.

    Returns:
        By the number of a member and of its fold; without runs that have no threshold, as those of
        an older version and soups.

    Raises:
        DataError: a file is damaged or missing.
    """
    novelties = {}
    for number, member in enumerate(members):
        path = member.run / NOVELTY_THRESHOLD
        if not path.is_file():
            continue
        try:
            threshold = float(read_json(path)["threshold"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"The threshold of unusual images cannot be read. Received: {path}. Remove it to "
                "predict without it, or train again."
            ) from error
        for fold in member.folds:
            novelty = Novelty.load(fold_folder(member.run, fold) / NOVELTY)
            novelties[number, fold] = novelty.relative_to(threshold)
    return novelties


def _distances(gaussians: Sequence[FeatureGaussian], features: Features) -> Scores:
    """(images, depths)."""
    pairs = zip(gaussians, features, strict=True)
    return np.stack([gaussian.distances(depth) for gaussian, depth in pairs], axis=1)
