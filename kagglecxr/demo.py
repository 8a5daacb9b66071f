"""The verb `demo`: the whole game on the built-in competition, with no account and no network."""

import sys
import time
from pathlib import Path

from kagglecxr.core.cli import CommonOptions, run_verb

SUBMISSIONS = Path("submissions")


def demo(
    *,
    common: CommonOptions = CommonOptions(),  # noqa: B008 frozen
) -> None:
    """Makes the built-in competition and plays it from data to a scored submission.

    Example: python -m kagglecxr.demo

    Args:
        common: Options of every verb.
    """
    from kagglecxr.models.runtime import setup_keras

    clock = [time.perf_counter()]
    setup_keras()
    from kagglecxr.data.competition import load_competition
    from kagglecxr.data.phantoms import make_demo
    from kagglecxr.data.prepare import PrepareOptions, prepare_competition
    from kagglecxr.inference.ensemble import blend_runs
    from kagglecxr.leaderboard.baselines import baseline_predictions
    from kagglecxr.leaderboard.ledger import utc_timestamp
    from kagglecxr.leaderboard.rehearsal import describe_rehearsal, rehearse
    from kagglecxr.reports.run_report import report_run
    from kagglecxr.training.recipe import load_recipe
    from kagglecxr.training.run import RunOptions, describe_run, train_run

    competition = load_competition("demo")
    workspace, terminal = common.workspace("demo"), common.terminal
    clock.append(time.perf_counter())
    data = make_demo(workspace.raw, common.seed, terminal)
    clock.append(time.perf_counter())
    request = PrepareOptions(data, 128, "gray | resize", 0.2, 5, False, common.seed)
    prepared = prepare_competition(competition, workspace, request, terminal)
    clock.append(time.perf_counter())
    run = train_run(prepared, workspace, load_recipe("demo"), terminal, RunOptions(common.seed))
    report_run(run)
    clock.append(time.perf_counter())
    blend = blend_runs(prepared, workspace, [run], SUBMISSIONS, terminal)
    clock.append(time.perf_counter())
    result = rehearse(
        blend.submission,
        prepared.competition,
        workspace,
        SUBMISSIONS / "ledger.csv",
        baseline_predictions(prepared),
        time=utc_timestamp(),
        seed=common.seed,
    )
    clock.append(time.perf_counter())
    names = ("start Keras", "draw", "prepare", "train", "ensemble", "submit")
    for name, begin, end in zip(names, clock[:-1], clock[1:], strict=True):
        sys.stdout.write(f"{name:<12} {end - begin:6.1f} s\n")
    sys.stdout.write(f"{describe_run(run)}\n{describe_rehearsal(result)}\n")
    common.end(f"Scored {blend.submission}; pictures in {run}.", "python -m kagglecxr.compare demo")


if __name__ == "__main__":
    run_verb(demo)
