"""The page that takes X-rays: probabilities, lungs, and which pixels speak for a class."""

from collections.abc import Sequence

import numpy as np
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from kagglecxr.core.errors import CxrError
from kagglecxr.core.finding_metrics import PRESENT
from kagglecxr.core.findings import name_of_none
from kagglecxr.data.images.image import Image
from kagglecxr.reports.run_model_card import NOT_FOR_DIAGNOSIS
from kagglecxr.saliency.methods import METHODS
from kagglecxr.segmentation.predicted_mask import NO_CHEST, PredictedMask
from kagglecxr.webapp.controls import (
    ERRORS,
    choose_model,
    escape_markdown,
    forget_others,
    remembered,
    show_how_to_begin,
    shown_errors,
)
from kagglecxr.webapp.decision_thresholds import SPECIFICITY, decision_thresholds
from kagglecxr.webapp.model_choices import ModelChoice
from kagglecxr.webapp.model_server import ModelServer
from kagglecxr.webapp.uploads import MAX_FILES, MAX_MEGABYTES, TYPES, decode_upload
from kagglecxr.webapp.xray_models import XrayExplanation, XrayModel, XrayPrediction
from kagglecxr.webapp.xray_pictures import draw_overlay, draw_scale, draw_xray

PREDICTED = "the most probable class"
DEFAULT_METHODS = ("gradcam", "occlusion")
SLOW = (
    "Grad-CAM takes a moment; methods that ask the model again and again, as occlusion, rise, "
    "smoothgrad and integrated_gradients, take some seconds for each image."
)
UNUSUAL = (
    "This image looks unlike the chest X-rays that the model learned from: what it predicts of it "
    "means nothing."
)
NO_XRAY = (
    "This may be no chest X-ray: it looks unlike those that the net of lung masks learned from."
)


def show_xrays(server: ModelServer, commands: Sequence[str]) -> None:
    """Shows the page; `commands` make a model where there is none."""
    st.title("X-rays")
    st.warning(NOT_FOR_DIAGNOSIS)
    with shown_errors():
        choices = server.choices()
        if not choices:
            show_how_to_begin(commands)
            return
        choice = choose_model(choices)
        model = server.model(choice)
        method, target = _choose_explanation(model)
        uploads = st.file_uploader(
            f"Drop X-rays here: PNG, JPEG or DICOM, {MAX_FILES} at a time. They are in memory "
            "until you leave this page, and nowhere else.",
            type=list(TYPES),
            accept_multiple_files=True,
            max_upload_size=MAX_MEGABYTES,
        )
        if len(uploads) > MAX_FILES:
            st.error(
                f"Too many files. Received: {len(uploads)}. The first {MAX_FILES} are shown; "
                "remove some for the others."
            )
        thresholds = None
        if not choice.is_file:
            thresholds = decision_thresholds(choice.path, len(model.classes))
        forget_others({ERRORS, *(upload.file_id for upload in uploads)})
        for upload in uploads[:MAX_FILES]:
            with st.container(border=True), shown_errors():
                xray = _Xray(server, choice, model, upload)
                xray.show(method, target, thresholds)


def _choose_explanation(model: XrayModel) -> tuple[str, int | None]:
    methods = list(model.methods)
    default = next(name for name in DEFAULT_METHODS if name in methods)
    method = st.sidebar.selectbox(
        "Explained by",
        methods,
        index=methods.index(default),
        key="method",
        persist_state="session",
        help=SLOW,
    )
    target = st.sidebar.selectbox(
        "Explain", [PREDICTED, *model.classes], key="target", persist_state="session"
    )
    # A class may have any name, even that of the first line.
    number = [PREDICTED, *model.classes].index(target) - 1
    return method, number if number >= 0 else None


class _Xray:
    """One uploaded file, asked of one model."""

    def __init__(
        self, server: ModelServer, choice: ModelChoice, model: XrayModel, upload: UploadedFile
    ) -> None:
        self._server, self._choice, self._model = server, choice, model
        self._file, self._name = upload.file_id, upload.name
        self._data = upload.getvalue

    def show(self, method: str, target: int | None, thresholds: Sequence[float] | None) -> None:
        """Shows predictions and evidence of the file."""
        st.subheader(escape_markdown(self._name), anchor=False)
        image = remembered((self._file, "image"), self._decode, f"Decoding {self._name}")
        prediction: XrayPrediction = remembered(
            (self._file, "prediction", self._choice),
            lambda: self._server.predict(self._choice, image),
            f"Predicting {self._name}",
        )
        mask = self._lungs(image)
        if prediction.unusual:
            st.warning(UNUSUAL)
        elif mask is not None and mask.unusual:
            st.warning(NO_XRAY)
        _show_probabilities(self._model, prediction, thresholds)
        doubts = [] if mask is None else [s for s in mask.suspicions if s != NO_CHEST]
        if doubts:
            found = "; ".join(doubts)
            st.caption(escape_markdown(f"The outlined lungs are suspicious: {found}."))
        with shown_errors():
            asked = prediction.target if target is None else target
            explained = remembered(
                (self._file, "explanation", self._choice, method, asked),
                lambda: self._server.explain(
                    self._choice, image, None if mask is None else mask.mask, asked, method
                ),
                f"Explaining {self._name}",
            )
            _show_pictures(self._name, explained, method, self._model.classes[asked])

    def _decode(self) -> Image:
        return decode_upload(self._name, self._data())

    def _lungs(self, image: Image) -> PredictedMask | None:
        """The lungs; without them the page has no contour, but all else."""
        try:
            return remembered(
                (self._file, "lungs"),
                lambda: self._server.find_lungs(image),
                f"Outlining lungs of {self._name}",
            )
        except CxrError as error:
            st.caption(escape_markdown(f"Lungs are not outlined. {error}"))
            return None


def _show_probabilities(
    model: XrayModel, prediction: XrayPrediction, thresholds: Sequence[float] | None
) -> None:
    classes = model.classes
    named = [prediction.target]
    if model.multilabel:
        named = np.flatnonzero(prediction.probabilities >= PRESENT).tolist()
    said = ", ".join(
        f"**{escape_markdown(classes[number])}** ({prediction.probabilities[number]:.0%})"
        for number in named
    )
    st.markdown(f"Predicted: {said or f'**{name_of_none(classes)}**'}")
    for number, class_name in enumerate(classes):
        value = float(prediction.probabilities[number])
        text = f"{escape_markdown(class_name)} {value:.3f}"
        if thresholds is not None and np.isfinite(thresholds[number]):
            side = "above" if value >= thresholds[number] else "below"
            text += f", {side} the {thresholds[number]:.3f} of {SPECIFICITY:.0%} specificity"
        st.progress(min(max(value, 0.0), 1.0), text=text)
    rule = "The class with the largest probability is predicted"
    rule += ": the decision threshold is 0.5." if len(classes) == 2 else "."
    if model.multilabel:
        rule = "Findings are predicted from a probability of 0.5 on."
    if thresholds is not None:
        rule += (
            f" At a class' threshold of {SPECIFICITY:.0%} specificity, one in ten out-of-fold "
            "images without the class would be reported as having it."
        )
    st.caption(rule)


def _show_pictures(name: str, explained: XrayExplanation, method: str, class_name: str) -> None:
    found, shown = METHODS[method], escape_markdown(class_name)
    plain, drawn = st.columns(2)
    lungs = "" if explained.lungs is None else ", lungs outlined in green"
    plain.image(
        draw_xray(explained),
        caption=f"As the model sees it{lungs}.",
        alt=f"The X-ray {name}{lungs}.",
        width="stretch",
    )
    drawn.image(
        draw_overlay(explained, signed=found.signed),
        caption=f"{escape_markdown(method)}: which pixels speak for {shown}.",
        alt=f"{name} under its map by {method} of {class_name}.",
        width="stretch",
    )
    drawn.image(draw_scale(signed=found.signed), alt="The map's colours.", width="stretch")
    scale = (
        f"Blue speaks against {shown}, red for it"
        if found.signed
        else f"Dark: no influence. Bright: speaks for {shown}"
    )
    evidence = "" if found.is_evidence else " Shows edges, no evidence: it ignores later layers."
    drawn.caption(f"{scale}; scaled to this map's largest value.{evidence}")
