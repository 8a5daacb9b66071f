"""The models of the page: loaded once for all visitors, and asked by one of them at a time."""

import contextlib
import threading
from dataclasses import dataclass, replace

import numpy as np

from kagglecxr.core.errors import CxrError, DataError, SettingError
from kagglecxr.core.finding_metrics import finding_metric
from kagglecxr.core.metrics import METRICS
from kagglecxr.core.progress import Silent
from kagglecxr.data.competition import Competition, load_competition
from kagglecxr.data.images.image import Image
from kagglecxr.ensembling.predict_images import load_predictor
from kagglecxr.inference.export.file_formats import load_export
from kagglecxr.inference.novelty import load_novelties
from kagglecxr.saliency.backend import Array
from kagglecxr.saliency.explain_members import ImagesToExplain
from kagglecxr.segmentation.mask_training import find_mask_run
from kagglecxr.segmentation.predicted_mask import PredictedMask
from kagglecxr.segmentation.segmenter import Segmenter
from kagglecxr.webapp.app_options import Site
from kagglecxr.webapp.model_choices import (
    ModelChoice,
    demo_choices,
    named_choice,
    workspace_choices,
)
from kagglecxr.webapp.xray_models import (
    FileModel,
    RunsModel,
    XrayExplanation,
    XrayModel,
    XrayPrediction,
)

KEPT_MODELS = 3


@dataclass(frozen=True)
class LungFinder:
    """Predicts the mask of an image with the first fold of a run."""

    segmenter: Segmenter

    def find(self, image: Image) -> PredictedMask:
        """Returns the mask of an image (H, W) or (H, W, 3), of its size, and what speaks for it.

        Raises:
            DataError: the net takes images of one size alone, and this has another.
        """
        member = self.segmenter.member
        pixels = member.pipeline(image)
        if pixels.shape[:2] != member.record.input_shape[:2]:
            raise DataError(
                f"The net of lung masks takes images of one size. Received: {pixels.shape[:2]} and "
                f"not {member.record.input_shape[:2]}. Train one with resize in --pipeline."
            )
        (mask,) = self.segmenter.segment(
            np.asarray(pixels)[None],
            [(image.shape[0], image.shape[1])],
            [self.segmenter.first_fold],
            lambda _: None,
        )
        return mask


class ModelServer:
    """Loads models when they are first asked for, and keeps the last few.

    Visitors have a thread each; Keras and what is kept of it are used by one at a time.

    Attributes:
        competition: of the site.
    """

    def __init__(self, site: Site) -> None:
        self.competition: Competition = load_competition(site.given)
        self._site = site
        self._lock = threading.Lock()
        self._models: dict[ModelChoice, XrayModel] = {}
        self._lungs: LungFinder | None = None

    def choices(self) -> list[ModelChoice]:
        """Returns the models to choose from, as they are on disk now; the first is the default.

        They are those named that are still there, then those of the workspace; without any of both
        those of the demo.
        """
        name, workspace = self.competition.metric.name, self._site.workspace
        of_findings = self.competition.classes.multilabel or name not in METRICS
        metric = finding_metric(name) if of_findings else METRICS[name]
        named = []
        for path in self._site.models:
            # They were there when the page was opened, and may be again in a moment.
            with contextlib.suppress(CxrError):
                named.append(named_choice(path, workspace))
        # A run of the workspace may have been named, too.
        known = {each.path.resolve() for each in named}
        others = [
            each
            for each in workspace_choices(workspace, metric)
            if each.path.resolve() not in known
        ]
        return [*named, *others] or demo_choices(metric)

    def model(self, choice: ModelChoice) -> XrayModel:
        """Returns a loaded model.

        Raises:
            CxrError: it cannot be loaded, or predicts masks.
        """
        with self._lock:
            return self._load(choice)

    def predict(self, choice: ModelChoice, image: Image) -> XrayPrediction:
        """Predicts an image (H, W) or (H, W, 3); raises as `XrayModel.predict`."""
        with self._lock:
            return self._load(choice).predict(image)

    def explain(
        self, choice: ModelChoice, image: Image, mask: Image | None, target: int, method: str
    ) -> XrayExplanation:
        """Explains a class of an image; raises as `XrayModel.explain`."""
        with self._lock:
            return self._load(choice).explain(image, mask, target, method)

    def explain_held_out(
        self, choice: ModelChoice, explained: ImagesToExplain, method: str
    ) -> Array:
        """Explains images of the competition by the folds that held them out, (N, H, W).

        Raises:
            SettingError: the model is a file, or the method does not hold for its networks.
        """
        with self._lock:
            model = self._load(choice)
            if not isinstance(model, RunsModel):
                raise SettingError(
                    f"An exported file has no folds. Received: {choice.label}. Choose a run."
                )
            return model.explain_held_out(explained, method)

    def find_lungs(self, image: Image) -> PredictedMask:
        """Predicts the lungs by the workspace's newest net of masks, or by the package's own.

        Raises:
            MissingError: there is neither.
            DataError: the net does not take such an image.
        """
        with self._lock:
            if self._lungs is None:
                run = find_mask_run(self._site.workspace, None, Silent())
                self._lungs = LungFinder(Segmenter.of_run(run))
            return self._lungs.find(image)

    def _load(self, choice: ModelChoice) -> XrayModel:
        loaded = self._models.pop(choice, None) or _load_model(choice, self._site.seed)
        # Put last: the first is the one that has not been asked for the longest time.
        self._models[choice] = loaded
        while len(self._models) > KEPT_MODELS:
            del self._models[next(iter(self._models))]
        return loaded


def _load_model(choice: ModelChoice, seed: int) -> XrayModel:
    if not choice.is_file:
        predictor = load_predictor(choice.path)
        return RunsModel(replace(predictor, novelties=load_novelties(predictor.members)), seed)
    exported = load_export(choice.path)
    if exported.standards:
        raise SettingError(
            f"This file predicts masks and classifies nothing. Received: {choice.path.name}. "
            "Export a run of train."
        )
    return FileModel(exported, seed)
