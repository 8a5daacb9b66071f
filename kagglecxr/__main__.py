"""The list of verbs, in playing order: `kagglecxr VERB` and `python -m kagglecxr VERB`."""

import sys

from kagglecxr.core.verb import exit_status, verb_app

VERBS = ("demo", "doctor", "prepare", "train", "ensemble", "submit", "compare")


def main() -> None:
    """Runs the verb that the command line names, or lists them all."""
    app = verb_app("kagglecxr", "From a chest-X-ray competition to its leaderboard.")
    for order, verb in enumerate(VERBS):
        app.command(f"kagglecxr.{verb}:{verb}", name=verb, sort_key=order)
    raise SystemExit(exit_status(app, sys.argv[1:]))


if __name__ == "__main__":
    main()
