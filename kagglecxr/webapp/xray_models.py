"""The models of the page, whatever they are made of: what they predict of an X-ray, and why."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError
from kagglecxr.core.progress import Silent
from kagglecxr.core.seeding import generator
from kagglecxr.data.images.image import Image
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.inference.export.exported_model import ExportedModel
from kagglecxr.inference.members import Member
from kagglecxr.inference.predictor import Fold, Predictor
from kagglecxr.saliency.backend import Array
from kagglecxr.saliency.explain_members import (
    ImagesToExplain,
    explain_members,
    load_explained,
)
from kagglecxr.saliency.explained_model import ExplainedModel, Targets
from kagglecxr.saliency.methods import METHODS
from kagglecxr.saliency.perturbation import occlusion_of_score, rise_of_score

KEPT_FOLDS = 10
LONGEST_SIDE = 256
"""The longest side of an image whose parts are hidden from an exported file, in pixels."""


@dataclass(frozen=True)
class XrayPrediction:
    """What a model predicts of one image.

    Attributes:
        probabilities: (classes,).
        unusual: whether it is unlike the training images; None where the model does not know.
    """

    probabilities: npt.NDArray[np.float32]
    unusual: bool | None

    @property
    def target(self) -> int:
        """The number of the most probable class."""
        return int(self.probabilities.argmax())


@dataclass(frozen=True)
class XrayExplanation:
    """Which pixels speak for a class.

    Attributes:
        image: (H, W) or (H, W, 3), as the model sees it.
        lungs: (H, W), more than 0 in the lungs; None where no mask was given.
        map: (H, W).
    """

    image: Image
    lungs: Image | None
    map: Array


class XrayModel(Protocol):
    """A model of the page."""

    @property
    def classes(self) -> list[str]:
        """Names of the classes."""

    @property
    def multilabel(self) -> bool:
        """Whether an image may have several of the classes."""

    @property
    def methods(self) -> Sequence[str]:
        """Names of the saliency methods that it can be explained by."""

    def predict(self, image: Image) -> XrayPrediction:
        """Predicts an image (H, W) or (H, W, 3) of any size."""

    def explain(
        self, image: Image, mask: Image | None, target: int, method: str
    ) -> XrayExplanation:
        """Explains the score of a class; `mask` (H, W) is that of the image's lungs."""


@dataclass(frozen=True)
class RunsModel:
    """A run or an ensemble; it is explained by the mean map of its runs and their folds."""

    predictor: Predictor
    seed: int = 0
    _explained: dict[Fold, ExplainedModel] = field(default_factory=dict, repr=False)

    @property
    def classes(self) -> list[str]:
        """Names of the classes."""
        return self.predictor.members[0].record.targets

    @property
    def multilabel(self) -> bool:
        """Whether an image may have several of the classes."""
        return self.predictor.members[0].record.multilabel

    @property
    def methods(self) -> Sequence[str]:
        """All of them; one that does not hold for the network says so."""
        return METHODS.names()

    def predict(self, image: Image) -> XrayPrediction:
        """Predicts an image of any size.

        Raises:
            DataError: the runs take images of one size alone, and this has another.
        """
        output = self.predictor.predict(lambda member: _prepared(member, image)[None])
        unusual = None if output.novelty is None else bool(output.novelty[0] > 1.0)
        return XrayPrediction(output.probabilities[0], unusual)

    def explain(
        self, image: Image, mask: Image | None, target: int, method: str
    ) -> XrayExplanation:
        """Explains the score of a class.

        Raises:
            SettingError: the method does not hold for these networks.
        """
        members = self.predictor.members
        pixels = _prepared(members[0], image)
        channels = members[0].record.input_shape[2]
        # Of no index, so that all folds explain it.
        wanted = ImagesToExplain(
            [""], pixels.reshape(1, *pixels.shape[:2], channels), np.array([target])
        )
        (found,) = self.explain_held_out(wanted, method)
        return XrayExplanation(pixels, _prepared_lungs(members[0], image, mask), found)

    def explain_held_out(self, explained: ImagesToExplain, method: str) -> Array:
        """Returns the maps (N, H, W) of images, each by the folds that did not learn from it."""
        methods = {method: METHODS[method]}
        members = self.predictor.members
        return explain_members(members, explained, methods, self.seed, Silent(), self._load)[method]

    def _load(self, member: Member, fold: int) -> ExplainedModel:
        """The model of a fold, of which the first few are kept: to build one takes longest."""
        key = self.predictor.members.index(member), fold
        model = self._explained.get(key) or load_explained(member, fold)
        if len(self._explained) < KEPT_FOLDS:
            self._explained[key] = model
        return model


def _prepared(member: Member, image: Image) -> Image:
    pixels = member.pipeline(image)
    if pixels.shape[:2] != member.record.input_shape[:2]:
        raise DataError(
            f"{member.record.name} takes images of one size. Received: {pixels.shape[:2]} and not "
            f"{member.record.input_shape[:2]}. Train one with resize in --pipeline."
        )
    return np.asarray(pixels)


def _prepared_lungs(member: Member, image: Image, mask: Image | None) -> Image | None:
    if mask is None:
        return None
    # A mask goes where its image goes, which may be cropped.
    text = f"{member.pipeline.text} | lungs"
    return Pipeline.parse(text, member.record.input_shape[0])(image, mask)


@dataclass(frozen=True)
class FileModel:
    """A file that export wrote; what hides parts of the image explains it, and nothing else can."""

    model: ExportedModel
    seed: int = 0

    @property
    def classes(self) -> list[str]:
        """Names of the classes."""
        return self.model.classes

    @property
    def multilabel(self) -> bool:
        """Whether an image may have several of the classes."""
        return self.model.multilabel

    @property
    def methods(self) -> Sequence[str]:
        """Those that need nothing but predictions."""
        return ("occlusion", "rise")

    def predict(self, image: Image) -> XrayPrediction:
        """Predicts an image of any size.

        Raises:
            DataError: the file takes images of one size alone, and this has another.
        """
        self._check(image)
        probabilities, novelty = self.model.predict_with_novelty(_batch_of_one(image))
        unusual = None if novelty is None else bool(novelty[0] > 1.0)
        return XrayPrediction(probabilities[0], unusual)

    def explain(
        self, image: Image, mask: Image | None, target: int, method: str
    ) -> XrayExplanation:
        """Explains the log odds of a class, of the image with sides of `LONGEST_SIDE` at most."""
        self._check(image)
        height, width = self.model.size or _smaller(image)
        shown = np.asarray(
            cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8
        )
        pixels, targets = _batch_of_one(shown), np.array([target])
        if method == "rise":
            random = generator(self.seed, "saliency", method)
            (found,) = rise_of_score(self._log_odds, pixels, targets, random)
        else:
            (found,) = occlusion_of_score(self._log_odds, pixels, targets)
        lungs = None
        if mask is not None:
            small = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
            lungs = np.asarray(small, np.uint8)
        return XrayExplanation(shown, lungs, found)

    def _log_odds(self, images: Array, targets: Targets) -> Array:
        probabilities = self.model.predict(images).astype(np.float64)
        of_target = np.clip(probabilities[np.arange(len(images)), targets], 1e-7, 1 - 1e-7)
        return np.asarray(np.log(of_target / (1 - of_target)), np.float32)

    def _check(self, image: Image) -> None:
        if self.model.size not in (None, image.shape[:2]):
            raise DataError(
                f"This file takes images of one size. Received: {image.shape[:2]} and not "
                f"{self.model.size}. Export a run with resize in its pipeline."
            )


def _batch_of_one(image: Image) -> Array:
    return image.astype(np.float32).reshape(1, *image.shape[:2], -1)


def _smaller(image: Image) -> tuple[int, int]:
    height, width = image.shape[:2]
    factor = min(1.0, LONGEST_SIDE / max(height, width))
    return max(1, round(height * factor)), max(1, round(width * factor))
