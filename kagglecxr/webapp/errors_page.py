"""The page of a model's out-of-fold errors, with what each came from."""

import numpy as np
import pandas as pd
import streamlit as st

from kagglecxr.core.errors import DataError
from kagglecxr.core.run_record import OOF, RunRecord, read_run, unreadable_predictions
from kagglecxr.data.images.image import Image
from kagglecxr.ensembling.ensemble_record import RECORD, read_ensemble
from kagglecxr.inference.predictions import Predictions
from kagglecxr.reports.error_grid import SHOWN, cached_images
from kagglecxr.reports.error_maps import draw_maps, errors_to_explain
from kagglecxr.reports.finding_sections import finding_errors
from kagglecxr.reports.run_report import list_errors
from kagglecxr.saliency.methods import METHODS
from kagglecxr.webapp.controls import (
    ERRORS,
    choose_model,
    escape_markdown,
    remembered,
    shown_errors,
)
from kagglecxr.webapp.model_choices import ModelChoice
from kagglecxr.webapp.model_server import ModelServer

ANY = "any class"
NO_MAP = "no map"
COLUMNS = 3


def show_errors(server: ModelServer) -> None:
    """Shows the page."""
    st.title("Errors")
    with shown_errors():
        choices = [each for each in server.choices() if (each.path / OOF).is_file()]
        if not choices:
            st.info("No model here has out-of-fold predictions.")
            return
        choice = choose_model(choices)
        record = _first_record(choice)
        oof = Predictions.load(choice.path / OOF)
        if oof.probabilities.shape[1] != len(record.targets):
            raise DataError(unreadable_predictions(choice.path / OOF))
        if record.multilabel:
            _show_findings(oof, record)
            return
        errors = list_errors(oof, record.targets)
        st.markdown(
            f"{len(errors):,} of {len(oof.ids):,} images are wrong out of fold: each was predicted "
            "by the fold that did not learn from it. Look for wrong labels, for images that are no "
            "chest X-ray, and for letters, tubes and borders."
        )
        chosen = _filtered(errors, record.targets)
        if chosen.empty:
            st.info("There is no such error.")
            return
        _show_pictures(server, choice, record, chosen.head(SHOWN))
        shown = chosen.rename(columns=lambda name: str(name).replace("_", " "))
        st.dataframe(shown, hide_index=True)


def _show_findings(oof: Predictions, record: RunRecord) -> None:
    errors = finding_errors(oof, record.targets)
    st.markdown(
        f"{len(errors):,} of {np.isfinite(oof.truth).sum():,} labels are predicted wrongly out of "
        "fold at a probability of 0.5, the surest first. The verb explain shows images of them."
    )
    st.dataframe(errors, hide_index=True)


def _first_record(choice: ModelChoice) -> RunRecord:
    if choice.workspace is None or not (choice.path / RECORD).is_file():
        return read_run(choice.path)
    return read_run(choice.workspace.run(read_ensemble(choice.path).runs[0]))


def _filtered(errors: pd.DataFrame, targets: list[str]) -> pd.DataFrame:
    left, right = st.columns(2)
    for column, where, label in (("true", left, "True class"), ("predicted", right, "Predicted")):
        number = where.selectbox(
            label,
            range(-1, len(targets)),
            format_func=lambda number: ANY if number < 0 else targets[number],
            key=f"errors-{column}",
        )
        if number >= 0:
            errors = errors[errors[column] == targets[number]]
    return errors


def _show_pictures(
    server: ModelServer, choice: ModelChoice, record: RunRecord, errors: pd.DataFrame
) -> None:
    ids = [str(name) for name in errors["id"]]
    if choice.workspace is None:
        return
    images = cached_images(record, choice.workspace, ids)
    if not images:
        st.info(
            "Their pictures are not shown: the images that the model learned from are not prepared "
            "here now."
        )
        return
    method = st.selectbox(
        "Which pixels speak for the predicted class",
        [NO_MAP, *METHODS.names()],
        key="errors-method",
    )
    pictures = images
    if method != NO_MAP:
        with shown_errors():
            pictures = _overlays(server, choice, record, errors, images, method)
    lines = list(errors.itertuples())
    for start in range(0, len(lines), COLUMNS):
        some = slice(start, start + COLUMNS)
        for where, line, picture in zip(
            st.columns(COLUMNS), lines[some], pictures[some], strict=False
        ):
            text = (
                f"{line.id}: predicted {line.predicted} {line.confidence:.0%}, "
                f"true {line.true} {line.true_probability:.0%}"
            )
            where.image(picture, caption=escape_markdown(text), alt=text, width="stretch")


def _overlays(
    server: ModelServer,
    choice: ModelChoice,
    record: RunRecord,
    errors: pd.DataFrame,
    images: list[Image],
    method: str,
) -> list[Image]:
    explained = errors_to_explain(errors, images, record)
    maps = remembered(
        (ERRORS, choice, method, tuple(explained.ids)),
        lambda: server.explain_held_out(choice, explained, method),
        f"Explaining {len(images)} errors",
    )
    return draw_maps(images, maps, method)
