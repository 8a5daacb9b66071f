"""Pages that show what verbs have written: a run's page, its audit, the comparison."""

from datetime import datetime
from pathlib import Path

import streamlit as st

from kagglecxr.core.workspace import Workspace
from kagglecxr.reports.audit_report import PAGE as AUDIT_PAGE
from kagglecxr.reports.comparison import PAGE as COMPARISON_PAGE
from kagglecxr.reports.run_page import PAGE as RUN_PAGE
from kagglecxr.webapp.controls import choose_model, escape_markdown, shown_errors
from kagglecxr.webapp.model_server import ModelServer

NO_RUN = "There is no run yet."


def show_run(server: ModelServer) -> None:
    """Shows the page of a run, as `train` or `audit` wrote it."""
    st.title("Run")
    with shown_errors():
        found = _choose_run(server)
        if found:
            workspace, name = found
            page = workspace.runs / name / RUN_PAGE
            _show(page, f"The page of {name}", workspace.command("audit", name))


def show_audit(server: ModelServer) -> None:
    """Shows the page of a run's audit."""
    st.title("Audit: does it read the lungs?")
    with shown_errors():
        found = _choose_run(server)
        if found:
            workspace, name = found
            page = workspace.audits / name / AUDIT_PAGE
            _show(page, f"The audit of {name}", workspace.command("audit", name))


def show_comparison(server: ModelServer) -> None:
    """Shows the page that compares runs and ensembles."""
    st.title("Comparison")
    with shown_errors():
        workspaces = [each.workspace for each in server.choices() if each.workspace is not None]
        if not workspaces:
            st.info(NO_RUN)
            return
        workspace = workspaces[0]
        page = workspace.root / COMPARISON_PAGE
        _show(page, "The comparison of all runs", workspace.command("compare"))


def _choose_run(server: ModelServer) -> tuple[Workspace, str] | None:
    """The workspace and the name of the chosen run; None, which is said, where there is none."""
    runs = [each for each in server.choices() if (each.path / "run.json").is_file()]
    if not runs:
        st.info(NO_RUN)
        return None
    choice = choose_model(runs)
    return (choice.workspace, choice.path.name) if choice.workspace else None


def _show(page: Path, what: str, command: str) -> None:
    if not page.is_file():
        st.info(escape_markdown(f"{what} is not written yet. Run this, then reload:"))
        st.code(command, language="bash")
        return
    written = datetime.fromtimestamp(page.stat().st_mtime)
    st.caption(escape_markdown(f"{what}, written {written:%Y-%m-%d %H:%M}; anew by: {command}"))
    st.download_button("Download this page", page.read_bytes(), page.name, "text/html")
    st.iframe(page, alt=what)
