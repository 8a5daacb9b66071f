"""What a run says of images, and of parts of them, by the folds that did not learn from them."""

from dataclasses import dataclass, field, fields, replace

import numpy as np
import numpy.typing as npt

from kagglecxr.core.metrics import Truth
from kagglecxr.inference.members import Member
from kagglecxr.inference.predictions import PLAIN_VIEW
from kagglecxr.inference.traced_models import TracedModels
from kagglecxr.inference.view_passes import mean_of_views, predict_in_batches
from kagglecxr.shortcuts.problems import Cells, keep_cells
from kagglecxr.shortcuts.regions import Masks, Pixels

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class AuditedImages:
    """Images that a run held out, with what is known of them.

    Attributes:
        ids: (N,) of the index.
        images: (N, H, W, C) uint8 as the run's models take them.
        lungs: (N, H, W); all false where no lungs are known.
        classes: (N,) the numbers of the true classes; of findings (N, findings), see `problems`.
        folds: (N,) the fold that held each out.
        groups: (N,) the patients.
        sources: (N,) text, empty where unknown.
    """

    ids: npt.NDArray[np.str_]
    images: Pixels
    lungs: Masks
    classes: Truth
    folds: npt.NDArray[np.intp]
    groups: npt.NDArray[np.object_]
    sources: npt.NDArray[np.object_]

    def take(self, rows: npt.NDArray[np.intp]) -> "AuditedImages":
        """Returns some of the images."""
        return AuditedImages(*(getattr(self, each.name)[rows] for each in fields(self)))

    def comparable(self, cells: Cells) -> "AuditedImages":
        """Returns the images with any comparable label; other findings of theirs are not known."""
        kept = replace(self, classes=keep_cells(self.classes, cells))
        return kept.take(np.flatnonzero(cells.any(axis=1)))

    @property
    def have_lungs(self) -> npt.NDArray[np.bool_]:
        """(N,) whether any lung is known, and any background."""
        share = self.lungs.mean(axis=(1, 2))
        return np.asarray((share > 0) & (share < 1))


@dataclass(frozen=True)
class Outputs:
    """What models say of images.

    Attributes:
        probabilities: (N, targets).
        features: (N, channels): averages over the image at several depths, side by side.
    """

    probabilities: Array
    features: Array

    def take(self, rows: npt.NDArray[np.intp]) -> "Outputs":
        """Returns those of some of the images."""
        return Outputs(self.probabilities[rows], self.features[rows])


@dataclass(frozen=True)
class HeldOutModels:
    """The folds of a run, each asked about images that it did not learn from."""

    member: Member
    _models: TracedModels = field(default_factory=TracedModels)

    def predict(self, images: Pixels, folds: npt.NDArray[np.intp]) -> Outputs:
        """Predicts images as they are, without other views.

        Args:
            images: (N, H, W, C) uint8.
            folds: (N,) which fold is asked about each.
        """
        parts: list[tuple[npt.NDArray[np.intp], Array, Array]] = []
        for fold in np.unique(folds).tolist():
            function = self._models.whole(self.member, fold, pooled=True)
            rows = np.flatnonzero(folds == fold)
            outputs = predict_in_batches(function, images, rows, [PLAIN_VIEW])[PLAIN_VIEW]
            features = np.concatenate(outputs[1:], axis=1)
            parts.append((rows, mean_of_views(outputs[:1]), features))
        done, probabilities, features = (np.concatenate(each) for each in zip(*parts, strict=True))
        order = np.argsort(done)
        return Outputs(probabilities[order], features[order])
