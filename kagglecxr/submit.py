"""The verb `submit`: from a file to a score, a rank and a line in the ledger."""

import sys
from datetime import UTC, datetime
from pathlib import Path

from kagglecxr.core.cli import CommonOptions, run_verb
from kagglecxr.leaderboard.submit_options import SubmitOptions

SUBMISSIONS = Path("submissions")


def submit(
    competition: str,
    file: Path | None = None,
    *,
    options: SubmitOptions = SubmitOptions(),
    common: CommonOptions = CommonOptions(),  # noqa: B008 frozen
) -> None:
    """Checks a submission, has it scored, writes the ledger at each step.

    Example: python -m kagglecxr.submit demo --local

    Args:
        competition: A preset's name, a TOML file, or a folder with one sub-folder per class.
        file: The submission; the competition's newest in submissions/ by default. With --kernel
            the name of the file that it writes, submission.csv by default.
        options: What is sent besides, and how.
        common: Options of every verb.
    """
    from kagglecxr.data.competition import load_competition
    from kagglecxr.leaderboard.entering import enter_kaggle
    from kagglecxr.leaderboard.kaggle import SubmitContext
    from kagglecxr.leaderboard.rehearsal import submit_locally
    from kagglecxr.remote.client import PollPolicy

    described = load_competition(competition)
    options.check(described.source.kind)
    workspace = common.workspace(described.name)
    around = SubmitContext(
        SUBMISSIONS / "ledger.csv",
        lambda: datetime.now(UTC),
        common.terminal,
        PollPolicy(options.wait),
    )
    if options.local or described.source.kind != "competition":
        report = submit_locally(described, workspace, file, options, around.ledger, common.seed)
    else:
        report = enter_kaggle(described, workspace, file, options, around)
    if report.text:
        sys.stdout.write(f"{report.text}\n")
    following = (
        "the same, no --dry-run"
        if options.dry_run
        else f"python -m kagglecxr.compare {competition}"
    )
    common.finish(report.summary, following)


if __name__ == "__main__":
    run_verb(submit)
