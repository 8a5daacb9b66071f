"""The verb `submit`: from a file to a score, a rank and a line in the ledger."""

import sys
from dataclasses import replace
from pathlib import Path

from kagglecxr.core.cli import CommonOptions, changed_options, option_words, run_verb
from kagglecxr.leaderboard.submit_options import SubmitOptions

LEDGER = Path("submissions") / "ledger.csv"


def submit(
    competition: str,
    file: Path | None = None,
    *,
    options: SubmitOptions = SubmitOptions(),
    common: CommonOptions = CommonOptions(),  # noqa: B008 frozen
) -> None:
    """Validates a submission, has it scored, and writes the ledger at each step.

    Example: python -m kagglecxr.submit demo --local

    Args:
        competition: A preset's name, a TOML file, or a folder with one sub-folder per class.
        file: The submission; defaults to the competition's newest in submissions/. With --kernel
            the name of the file that it writes, which defaults to submission.csv.
        options: What is submitted, and how.
        common: Options of every verb.
    """
    from kagglecxr.data.competition import load_competition
    from kagglecxr.leaderboard.kaggle import submit_to_kaggle
    from kagglecxr.leaderboard.rehearsal import submit_locally

    loaded = load_competition(competition)
    options.check(loaded.source.kind)
    workspace = common.workspace(loaded.name, competition)
    if options.local or loaded.source.kind != "competition":
        text, summary = submit_locally(loaded, workspace, file, options, LEDGER, common.seed)
    else:
        text, summary = submit_to_kaggle(loaded, workspace, file, options, LEDGER, common.terminal)
    if text:
        sys.stdout.write(f"{text}\n")
    named = [str(file)] if file else []
    sending = changed_options(replace(options, dry_run=False))
    again = workspace.command("submit", *named, *option_words(sending))
    common.finish(summary, again if options.dry_run else workspace.command("compare"))


if __name__ == "__main__":
    run_verb(submit)
