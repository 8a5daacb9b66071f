"""What the pages have in common: choosing a model, showing errors, and results of a visitor."""

import logging
import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import streamlit as st

from kagglecxr.core.errors import CxrError
from kagglecxr.webapp.model_choices import ModelChoice

T = TypeVar("T")

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+.!|~$:-])")
"""What Markdown may take for more than a character."""

RESULTS = "results"
ERRORS = "errors"
"""The first part of keys of results that are of no upload."""
FAULT = (
    "This page has failed, by a fault of the program. The terminal in which it was started says "
    "more. The other pages, other models and other images may still work."
)


def escape_markdown(text: str) -> str:
    r"""Returns text that is shown as it is where Markdown is expected, on one line.

    >>> escape_markdown("cnn_small [1]")
    'cnn\\_small \\[1\\]'
    """
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def choose_model(choices: Sequence[ModelChoice]) -> ModelChoice:
    """Shows the models in the sidebar and returns the chosen one."""
    labels = [choice.label for choice in choices]
    before = st.session_state.get("model")
    label: str = st.sidebar.selectbox("Model", labels, key="model", persist_state="session")
    if before is not None and before not in labels:
        text = f"{before} is not among the models of this page, which shows {label}."
        st.sidebar.warning(escape_markdown(text))
    return choices[labels.index(label)] if label in labels else choices[0]


@contextmanager
def shown_errors() -> Iterator[None]:
    """Shows a user error as its sentence on the page instead of raising it."""
    try:
        yield
    except CxrError as error:
        st.error(escape_markdown(str(error)))


@contextmanager
def shown_faults() -> Iterator[None]:
    """Logs any other error, and says on the page that there was one."""
    try:
        yield
    except Exception:
        logging.getLogger(__name__).exception("A page has failed.")
        st.error(FAULT)


def remembered(key: tuple[Hashable, ...], make: Callable[[], T], doing: str) -> T:
    """Returns what was made for this visitor before, or makes it, which is said meanwhile.

    An error is not remembered. What is no longer wanted goes by `forget_others`.
    """
    results = st.session_state.setdefault(RESULTS, {})
    if key not in results:
        with st.spinner(escape_markdown(doing)):
            results[key] = make()
    made: T = results[key]
    return made


def forget_others(kept: set[Hashable]) -> None:
    """Forgets what was made of other things than these, by the first part of its key."""
    results = st.session_state.setdefault(RESULTS, {})
    for key in [key for key in results if key[0] not in kept]:
        del results[key]


def show_how_to_begin(commands: Sequence[str]) -> None:
    """Says that there is no model, and how one is made."""
    st.info("There is no model yet. Run one of these commands, then reload the page:")
    for command in commands:
        st.code(command, language="bash")
