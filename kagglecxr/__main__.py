"""The list of verbs, in order of use: `kagglecxr VERB` and `python -m kagglecxr VERB`."""

import importlib
import sys

from cyclopts import App

from kagglecxr.core.cli import make_app, run_app

VERBS = (
    "demo",
    "doctor",
    "download",
    "prepare",
    "explore",
    "segment",
    "train",
    "tune",
    "ensemble",
    "export",
    "predict",
    "submit",
    "kernel",
    "compare",
    "explain",
    "audit",
    "app",
)


def main() -> None:
    """Runs the verb named on the command line, or lists all verbs."""
    app = make_app("kagglecxr", "From a chest X-ray competition to its leaderboard.")
    for order, verb in enumerate(VERBS):
        # A verb imports heavy libraries only when it runs.
        function = getattr(importlib.import_module(f"kagglecxr.{verb}"), verb)
        if isinstance(function, App):
            # A verb with sub-commands.
            function.sort_key = order
            app.command(function, name=verb)
        else:
            app.command(function, name=verb, sort_key=order)
    raise SystemExit(run_app(app, sys.argv[1:]))


if __name__ == "__main__":
    main()
