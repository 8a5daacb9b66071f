"""The script that Streamlit runs for every visitor and every click."""

import sys
from collections.abc import Callable

import streamlit as st

from kagglecxr.reports.run_model_card import NOT_FOR_DIAGNOSIS
from kagglecxr.webapp.app_options import Site
from kagglecxr.webapp.errors_page import show_errors
from kagglecxr.webapp.model_server import ModelServer
from kagglecxr.webapp.report_pages import show_audit, show_comparison, show_run
from kagglecxr.webapp.xray_page import show_xrays


@st.cache_resource(show_spinner=False)
def shared_server(words: str) -> ModelServer:
    """Returns the models that all visitors share."""
    return ModelServer(Site.from_json(words))


def show_site(words: str) -> None:
    """Shows the page that the visitor is at; `words` are those of `Site.to_json`."""
    server, site = shared_server(words), Site.from_json(words)
    title = server.competition.title or server.competition.name
    st.set_page_config(page_title=f"{title} - kagglecxr", layout="wide")
    commands = [site.workspace.command("train"), "python -m kagglecxr.demo"]

    def page(show: Callable[[], None], name: str, path: str) -> st.Page:
        return st.Page(show, title=name, url_path=path)

    chosen = st.navigation(
        [
            page(lambda: show_xrays(server, commands), "X-rays", "xrays"),
            page(lambda: show_errors(server), "Errors", "errors"),
            page(lambda: show_run(server), "Run", "run"),
            page(lambda: show_audit(server), "Audit", "audit"),
            page(lambda: show_comparison(server), "Comparison", "comparison"),
        ]
    )
    chosen.run()
    st.sidebar.caption(NOT_FOR_DIAGNOSIS)


if __name__ == "__main__":
    show_site(sys.argv[1])
