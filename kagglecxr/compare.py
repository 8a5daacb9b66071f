"""The verb `compare`: a table of all runs."""

import sys
from pathlib import Path

from kagglecxr.core.cli import CommonOptions, run_verb


def compare(
    competition: str,
    *,
    common: CommonOptions = CommonOptions(),  # noqa: B008 frozen
) -> None:
    """Writes a table that compares all runs of a competition.

    Example: python -m kagglecxr.compare demo

    Args:
        competition: A preset's name, a TOML file, or a folder with one sub-folder per class.
        common: Options of every verb.
    """
    from kagglecxr.data.competition import load_competition
    from kagglecxr.reports.comparison import compare_runs, to_markdown, write_comparison

    described = load_competition(competition)
    workspace = common.workspace(described.name, competition)
    table = compare_runs(workspace, Path("submissions") / "ledger.csv")
    paths = write_comparison(table, workspace.root)
    sys.stdout.write(to_markdown(table))
    common.finish(
        f"Compared {len(table.columns) - 1} runs: {', '.join(map(str, paths))}.",
        workspace.command("ensemble"),
    )


if __name__ == "__main__":
    run_verb(compare)
