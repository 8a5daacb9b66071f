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
    wish: SubmitOptions = SubmitOptions(),
    common: CommonOptions = CommonOptions(),  # noqa: B008 frozen
) -> None:
    """Checks a submission, has it scored, writes the ledger at each step.

    Example: python -m kagglecxr.submit demo --local

    Args:
        competition: A preset's name, a TOML file, or a folder with one sub-folder a class.
        file: The submission; the competition's newest in submissions/ unless told. With --kernel
            the name of the file that it writes, submission.csv unless told.
        wish: What is sent besides, and how.
        common: Options of every verb.
    """
    from kagglecxr.data.competition import load_competition
    from kagglecxr.leaderboard.entering import enter_kaggle, enter_rehearsal
    from kagglecxr.leaderboard.kaggle import SubmitContext
    from kagglecxr.remote.client import PollPolicy

    described = load_competition(competition)
    wish.check(described.source.kind)
    workspace = common.workspace(described.name)
    around = SubmitContext(
        SUBMISSIONS / "ledger.csv",
        lambda: datetime.now(UTC),
        common.terminal,
        PollPolicy(wish.wait),
    )
    if wish.local or described.source.kind != "competition":
        entered = enter_rehearsal(described, workspace, file, wish, around, common.seed)
    else:
        entered = enter_kaggle(described, workspace, file, wish, around)
    if entered.told:
        sys.stdout.write(f"{entered.told}\n")
    following = (
        "the same, no --dry-run" if wish.dry_run else f"python -m kagglecxr.compare {competition}"
    )
    common.end(entered.end, following)


if __name__ == "__main__":
    run_verb(submit)
