"""The verb `demo`: the built-in competition from data to a score, without account or network."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kagglecxr.core.cli import CommonOptions, run_verb

SUBMISSIONS = Path("submissions")


def demo(
    *,
    common: CommonOptions = CommonOptions(),  # noqa: B008 frozen
) -> None:
    """Generates the built-in competition, trains on it and scores a submission.

    Example: python -m kagglecxr.demo

    Args:
        common: Options of every verb.
    """
    from kagglecxr.models.runtime import setup_keras

    with _step("start Keras"):
        setup_keras()
        from kagglecxr.data.competition import load_competition
        from kagglecxr.data.phantoms import make_demo
        from kagglecxr.data.prepare import PrepareOptions, prepare_competition
        from kagglecxr.ensembling.blend import blend_runs
        from kagglecxr.leaderboard.baselines import baseline_predictions
        from kagglecxr.leaderboard.ledger import utc_now
        from kagglecxr.leaderboard.rehearsal import describe_rehearsal, rehearse
        from kagglecxr.reports.run_page import write_run_page
        from kagglecxr.reports.run_report import report_run
        from kagglecxr.training.recipe import load_recipe
        from kagglecxr.training.run import RunOptions, describe_run, train_run

    competition = load_competition("demo")
    workspace, terminal = common.workspace("demo", "demo"), common.terminal
    with _step("draw"):
        data = make_demo(workspace.raw, common.seed, terminal)
    with _step("prepare"):
        options = PrepareOptions(data, 128, "gray | resize", 0.2, 5, False, common.seed)
        prepared = prepare_competition(competition, workspace, options, terminal)
    with _step("train"):
        run = train_run(prepared, workspace, load_recipe("demo"), terminal, RunOptions(common.seed))
        report_run(run)
        write_run_page(competition, workspace, run, common.seed, terminal)
    with _step("ensemble"):
        blend = blend_runs(prepared, workspace, [run], SUBMISSIONS, terminal, seed=common.seed)
    with _step("submit"):
        result = rehearse(
            blend.submission,
            prepared.competition,
            workspace,
            SUBMISSIONS / "ledger.csv",
            baseline_predictions(prepared),
            time=utc_now().isoformat(),
            seed=common.seed,
        )
    trained = describe_run(run, prepared.competition.evaluation_metric().name)
    sys.stdout.write(f"{trained}\n{describe_rehearsal(result)}\n")
    common.finish(f"Scored {blend.submission}; pictures in {run}.", workspace.command("compare"))


@contextmanager
def _step(name: str) -> Iterator[None]:
    """Prints a step's seconds as it ends, so that a log shows how far the demo is."""
    start = time.perf_counter()
    yield
    sys.stdout.write(f"{name:<12} {time.perf_counter() - start:6.1f} s\n")
    sys.stdout.flush()


if __name__ == "__main__":
    run_verb(demo)
