"""The verb `submit`: from a file to a score, a rank and a line in the ledger."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from kagglecxr.core.verb import Common, play

SUBMISSIONS = Path("submissions")


def submit(
    competition: str,
    file: Path | None = None,
    *,
    message: str = "",
    local: Annotated[bool, Parameter(negative="")] = False,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    again: Annotated[bool, Parameter(negative="")] = False,
    common: Common = Common(),  # noqa: B008 frozen
) -> None:
    """Checks a submission, has it scored, writes the score into the ledger.

    Example: python -m kagglecxr.submit demo --local

    Args:
        competition: A preset's name, a TOML file, or a folder with one sub-folder a class.
        file: The submission; the competition's newest in submissions/ unless told.
        message: What to remember of it.
        local: Score on the rehearsal leaderboard, with no account and no network.
        dry_run: Check the file's form and stop.
        again: Write another line though this very file was scored before.
        common: Options of every verb.
    """
    from kagglecxr.data.competition import load_competition
    from kagglecxr.data.preparation import load_prepared
    from kagglecxr.inference.references import reference_entries
    from kagglecxr.remote import rehearsal

    described = load_competition(competition)
    rehearsal.refuse_real(described.source.kind, local or dry_run)
    workspace = common.workspace(described.name)
    prepared = load_prepared(described, workspace)
    rules = prepared.competition.rules()
    chosen = file or rehearsal.newest_submission(SUBMISSIONS, described.name)
    rehearsal.check_file(chosen, rules, workspace)
    if dry_run:
        common.end(f"{chosen} is in perfect form; nothing was sent.", "the same, no --dry-run")
        return
    verdict = rehearsal.rehearse(
        chosen,
        rules,
        workspace,
        SUBMISSIONS / "ledger.csv",
        reference_entries(prepared),
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        message=message,
        again=again,
        seed=common.seed,
    )
    sys.stdout.write(f"{rehearsal.tell(verdict, rules)}\n")
    where = SUBMISSIONS / "ledger.csv"
    told = "Wrote a line to" if verdict.is_new else "This file was scored before; see"
    common.end(f"{told} {where}.", f"python -m kagglecxr.compare {competition}")


if __name__ == "__main__":
    play(submit)
