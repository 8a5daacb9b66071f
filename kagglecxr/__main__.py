"""The list of verbs, in playing order: `kagglecxr VERB` and `python -m kagglecxr VERB`."""

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
    "train",
    "tune",
    "ensemble",
    "export",
    "submit",
    "kernel",
    "compare",
)


def main() -> None:
    """Runs the verb that the command line names, or lists them all."""
    app = make_app("kagglecxr", "From a chest-X-ray competition to its leaderboard.")
    for order, verb in enumerate(VERBS):
        # A verb's module is light: what is heavy it imports when it runs.
        function = getattr(importlib.import_module(f"kagglecxr.{verb}"), verb)
        if isinstance(function, App):
            # A verb of several steps.
            function.sort_key = order
            app.command(function, name=verb)
        else:
            app.command(function, name=verb, sort_key=order)
    raise SystemExit(run_app(app, sys.argv[1:]))


if __name__ == "__main__":
    main()
