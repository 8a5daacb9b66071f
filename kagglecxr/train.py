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
    from kagglecxr.data.competition import load_competition
    from kagglecxr.data.prepared import load_prepared
    from kagglecxr.ensembling.blend import judge_runs
    from kagglecxr.reports.run_page import write_run_page
    from kagglecxr.reports.run_report import report_run
    from kagglecxr.training.multi_seed import describe_seeds, train_seeds
    from kagglecxr.training.select_recipe import select_recipe
    from kagglecxr.training.time_plan import (
        TimePlan,
        deadline_of_training,
        leaves_the_choice,
    )

    described = load_competition(competition)
    workspace = common.workspace(described.name, competition)
    prepared = load_prepared(described, workspace)
    metric = prepared.competition.evaluation_metric()
    is_planned = options.is_time_alone() and leaves_the_choice(recipe, model, changes)
    if is_planned and options.timeout:
        options.check()
        deadline = deadline_of_training(options.timeout)
        plan = TimePlan(prepared, workspace, common.terminal, common.seed, changes, deadline)
        runs = plan.train()
    else:
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
    trained = describe_seeds(runs, metric.name)
    if is_planned and len(runs) > 1:
        fit = judge_runs(prepared, runs, common.seed)
        sys.stdout.write("".join(f"{line}\n" for line in fit.lines()))
        score = f"out-of-fold {metric.title} {fit.score:.4f}"
        trained = f"Trained {len(runs)} runs; blended, {score}."
    common.finish(trained, workspace.command("ensemble", *(run.name for run in runs)))


if __name__ == "__main__":
    run_verb(train)
