"""The verb `compare`: a table and a page of all runs, or whether one of two is better."""

import sys
import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from kagglecxr.core.cli import CommonOptions, run_verb


def compare(
    competition: str,
    a: str | None = None,
    b: str | None = None,
    *,
    latency: Annotated[bool, Parameter(negative="")] = False,
    common: CommonOptions = CommonOptions(),  # noqa: B008 frozen
) -> None:
    """Writes a table and a page that compare all runs, or says whether one of two is better.

    Two are compared on the rehearsal test set if both have predictions of it, else out of fold.

    Example: python -m kagglecxr.compare demo

    Args:
        competition: A preset's name, a TOML file, or a folder with one sub-folder per class.
        a: A run, an ensemble or a submission to compare with another; defaults to all runs.
        b: The other.
        latency: Measure how long each run's model takes for an image on this machine.
        common: Options of every verb.
    """
    from kagglecxr.core.errors import SettingError
    from kagglecxr.data.competition import load_competition
    from kagglecxr.data.prepared import load_prepared
    from kagglecxr.leaderboard.paired_comparison import compare_two
    from kagglecxr.reports.compared_models import count_models
    from kagglecxr.reports.comparison import compare_runs, to_markdown, write_comparison
    from kagglecxr.reports.comparison_page import render_comparison

    described = load_competition(competition)
    workspace = common.workspace(described.name, competition)
    if (a is None) != (b is None):
        raise SettingError(
            f"A comparison needs two names or none. Received: {a}. Name another run, ensemble or "
            "submission."
        )
    submissions = Path("submissions")
    if a is not None and b is not None:
        prepared = load_prepared(described, workspace)
        text = compare_two(prepared, workspace, (a, b), submissions, common.seed)
        sys.stdout.write(f"{text}\n")
        common.finish(f"Compared {a} and {b}.", workspace.command("ensemble"))
        return
    comparison = compare_runs(
        described,
        workspace,
        submissions / "ledger.csv",
        common.terminal,
        seed=common.seed,
        clock=time.perf_counter if latency else None,
    )
    page = render_comparison(comparison, workspace, described, common.seed, common.terminal)
    paths = write_comparison(comparison, page, workspace.root)
    lines = [*comparison.sentences, *comparison.compared.notes]
    sys.stdout.write(to_markdown(comparison.table) + "".join(f"{line}\n" for line in lines))
    common.finish(
        f"Compared {count_models(comparison.compared.models)}; open {paths[-1]}.",
        workspace.command("ensemble"),
    )


if __name__ == "__main__":
    run_verb(compare)
