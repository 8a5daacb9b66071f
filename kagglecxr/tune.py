"""The verb `tune`: a hyperparameter search for a better recipe."""

from typing import Annotated

from cyclopts import Parameter

from kagglecxr.core.cli import CommonOptions, run_verb
from kagglecxr.training.training_options import SearchBudget


def tune(
    competition: str,
    *,
    model: str | None = None,
    recipe: str | None = None,
    space: str = "cpu",
    changes: Annotated[tuple[str, ...], Parameter(name="--set", negative="")] = (),
    budget: SearchBudget = SearchBudget(),  # noqa: B008 frozen
    common: CommonOptions = CommonOptions(),  # noqa: B008 frozen
) -> None:
    """Searches for a better recipe; the same command again continues the search.

    Example: python -m kagglecxr.tune demo --recipe demo --trials 20

    Args:
        competition: A preset's name, a TOML file, or a folder with one sub-folder per class.
        model: A model of the zoo, instead of the recipe's; it is then not searched for.
        recipe: The recipe to start from: a name or TOML file.
        space: The search space: its name, or a TOML file.
        changes: A setting of the recipe as key=value, which is then not searched for.
        budget: How much it may take.
        common: Options of every verb.
    """
    from kagglecxr.models.runtime import setup_keras

    setup_keras()
    from kagglecxr.data.competition import load_competition
    from kagglecxr.data.prepared import load_prepared
    from kagglecxr.reports.search_report import report_search
    from kagglecxr.training.cluster.cluster_trials import trial_launcher
    from kagglecxr.training.search.results import (
        describe_results,
        write_best_recipe,
    )
    from kagglecxr.training.search.space import load_space
    from kagglecxr.training.search.tuning import tune_recipe, with_available_models
    from kagglecxr.training.select_recipe import select_recipe

    described = load_competition(competition)
    workspace = common.workspace(described.name, competition)
    prepared = load_prepared(described, workspace)
    base = select_recipe(recipe, model, changes, common.terminal)
    fixed = [change.partition("=")[0].strip() for change in changes]
    varied = load_space(space).without([*fixed, "model"] if model else fixed)
    varied = with_available_models(varied, base, common.terminal)
    with trial_launcher(budget.cluster, prepared, workspace) as (launch, capacity):
        result = tune_recipe(
            competition, prepared, workspace, base, varied, budget.with_workers(capacity), launch,
            common.terminal, seed=common.seed,
        )  # fmt: skip
    folder = workspace.studies / result.name
    report_search(folder, result.trials, result.importances, result.metric, result.maximise)
    path, command = write_best_recipe(result, workspace)
    common.finish(f"{describe_results(result)}: {path}.", command)


if __name__ == "__main__":
    run_verb(tune)
