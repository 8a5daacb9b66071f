"""The script that Streamlit runs for every visitor and every click."""

import sys
from collections.abc import Callable

import streamlit as st

from kagglecxr.reports.run_model_card import NOT_FOR_DIAGNOSIS
from kagglecxr.webapp.app_options import Site
from kagglecxr.webapp.controls import shown_faults
from kagglecxr.webapp.errors_page import show_errors
from kagglecxr.webapp.model_server import ModelServer
from kagglecxr.webapp.report_pages import show_audit, show_comparison, show_run
from kagglecxr.webapp.xray_page import show_xrays

XRAYS = "X-rays"


@st.cache_resource(show_spinner=False)
def shared_server(words: str) -> ModelServer:
    """Returns the models that all visitors share."""
    return ModelServer(Site.from_json(words))


def show_site(words: str) -> None:
    """Shows the page that the visitor is at; `words` are those of `Site.to_json`."""
    server, site = shared_server(words), Site.from_json(words)
    title = server.competition.title or server.competition.name
    st.set_page_config(page_title=f"{title} - kagglecxr", layout="wide")
    workspace = site.workspace
    verbs = ["train"] if workspace.prepared.is_file() else ["prepare", "train"]
    commands = ["python -m kagglecxr.demo", " && ".join(map(workspace.command, verbs))]

    def page(show: Callable[[], None], name: str, path: str) -> st.Page:
        def guarded() -> None:
            with shown_faults():
                show()

        return st.Page(guarded, title=name, url_path=path)

    chosen = st.navigation(
        [
            page(lambda: show_xrays(server, commands), XRAYS, "xrays"),
            page(lambda: show_errors(server), "Errors", "errors"),
            page(lambda: show_run(server), "Run", "run"),
            page(lambda: show_audit(server), "Audit", "audit"),
            page(lambda: show_comparison(server), "Comparison", "comparison"),
        ]
    )
    if chosen.title != XRAYS:
        st.caption(NOT_FOR_DIAGNOSIS)
    chosen.run()


if __name__ == "__main__":
    show_site(sys.argv[1])
