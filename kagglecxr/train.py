"""The verb `train`: k-fold training with out-of-fold predictions."""

import sys
from typing import Annotated

from cyclopts import Parameter

from kagglecxr.core.cli import CommonOptions, changed_options, option_words, run_verb
from kagglecxr.training.training_options import TrainOptions


def train(
    competition: str,
    *,
    model: str | None = None,
    recipe: str | None = None,
    changes: Annotated[tuple[str, ...], Parameter(name="--set", negative="")] = (),
    options: TrainOptions = TrainOptions(),  # noqa: B008 frozen
    common: CommonOptions = CommonOptions(),  # noqa: B008 frozen
) -> None:
    """Trains k folds; without options, with the best default recipe for this machine.

    With a time limit alone, trains several runs that fit into it, to be blended.

    Example: python -m kagglecxr.train demo --model cnn_small --set epochs=5

    Args:
        competition: A preset's name, a TOML file, or a folder with one sub-folder per class.
        model: A model of the zoo, instead of the recipe's.
        recipe: A recipe's name or TOML file.
        changes: A setting of the recipe as key=value; can be given several times.
        options: How much is trained, how long, and where.
        common: Options of every verb.
    """
    from kagglecxr.models.runtime import setup_keras

    setup_keras()
    from kagglecxr.core.deadline import Deadline
    from kagglecxr.data.competition import load_competition
    from kagglecxr.data.prepared import load_prepared
    from kagglecxr.ensembling.blend import judge_runs
    from kagglecxr.reports.run_page import write_run_page
    from kagglecxr.reports.run_report import report_run
    from kagglecxr.training.multi_seed import describe_seeds, train_seeds
    from kagglecxr.training.run import RunOptions
    from kagglecxr.training.select_recipe import select_recipe
    from kagglecxr.training.time_plan import TimePlan

    described = load_competition(competition)
    workspace = common.workspace(described.name, competition)
    prepared = load_prepared(described, workspace)
    is_planned = recipe is None and model is None and options.is_time_alone()
    if is_planned and all(change.startswith("weights=") for change in changes):
        options.check()
        seconds = options.timeout or 0.0
        # Pages of the runs come after it.
        deadline = Deadline.within(seconds - min(45.0, 0.15 * seconds))
        plan = TimePlan(
            prepared, workspace, common.terminal, RunOptions(common.seed), changes, deadline
        )
        if runs := plan.train():
            for run in runs:
                report_run(run)
                write_run_page(described, workspace, run, common.seed, common.terminal)
            fit = judge_runs(prepared, runs, common.seed)
            sys.stdout.write("".join(f"{line}\n" for line in fit.lines()))
            metric = prepared.competition.evaluation_metric()
            common.finish(
                f"Trained {len(runs)} runs; blended, out-of-fold {metric.title} {fit.score:.4f}.",
                workspace.command("ensemble", *(run.name for run in runs)),
            )
            return
    chosen = select_recipe(recipe, model, changes, common.terminal)
    runs = train_seeds(prepared, workspace, chosen, common.terminal, options, common.seed)
    if not all((run / "run.json").is_file() for run in runs):
        folders = ", ".join(map(str, runs))
        following = options.with_next_fold(int(prepared.fold.max()) + 1)
        others = {"recipe": recipe, "model": model, "set": changes, "seed": common.seed or None}
        words = option_words(others | changed_options(following))
        common.finish(
            f"Trained fold {options.fold}: {folders}.", workspace.command("train", *words)
        )
        return
    for run in runs:
        report_run(run)
        write_run_page(described, workspace, run, common.seed, common.terminal)
    common.finish(
        describe_seeds(runs, prepared.competition.evaluation_metric().name),
        workspace.command("ensemble", *(run.name for run in runs)),
    )


if __name__ == "__main__":
    run_verb(train)
