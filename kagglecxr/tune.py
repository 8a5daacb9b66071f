"""The verb `tune`: a search for a better recipe."""

from typing import Annotated

from cyclopts import Parameter

from kagglecxr.core.verb import Common, play
from kagglecxr.training.search.budget import Budget


def tune(
    competition: str,
    *,
    model: str | None = None,
    recipe: str | None = None,
    space: str = "cpu",
    changes: Annotated[tuple[str, ...], Parameter(name="--set", negative="")] = (),
    budget: Budget = Budget(),  # noqa: B008 frozen
    common: Common = Common(),  # noqa: B008 frozen
) -> None:
    """Searches for a better recipe; the same command again goes on with the search.

    Example: python -m kagglecxr.tune demo --recipe demo --trials 20

    Args:
        competition: A preset's name, a TOML file, or a folder with one sub-folder a class.
        model: The zoo's name of a model, in place of the recipe's; it is then not searched for.
        recipe: The recipe to start from: a name or TOML file.
        space: What may vary: the name of a space, or a TOML file.
        changes: A recipe's entry as key=value, which is then not searched for.
        budget: How much it may take.
        common: Options of every verb.
    """
    from kagglecxr.models.runtime import start_keras

    start_keras()
    from kagglecxr.data.competition import load_competition
    from kagglecxr.data.preparation import load_prepared
    from kagglecxr.reports.search_report import report_search
    from kagglecxr.training.choice import choose_recipe
    from kagglecxr.training.cluster.trials import trials_on
    from kagglecxr.training.search.findings import (
        describe_findings,
        prepare_command,
        write_recipe,
    )
    from kagglecxr.training.search.models_at_hand import with_weights_at_hand
    from kagglecxr.training.search.space import load_space
    from kagglecxr.training.search.tuning import tune_recipe

    described = load_competition(competition)
    workspace = common.workspace(described.name)
    prepared = load_prepared(described, workspace)
    base = choose_recipe(recipe, model, changes, common.terminal)
    fixed = [change.partition("=")[0].strip() for change in changes]
    varied = load_space(space).without([*fixed, "model"] if model else fixed)
    varied = with_weights_at_hand(varied, base, common.terminal)
    with trials_on(budget.cluster, workspace) as (start, places):
        found = tune_recipe(
            competition, prepared, workspace, base, varied, budget.on(places), common.terminal,
            seed=common.seed, start=start,
        )  # fmt: skip
    folder = workspace.studies / found.name
    report_search(folder, found.trials, found.importances, found.metric, found.maximise)
    path = write_recipe(found, workspace.recipes, competition)
    train = f"python -m kagglecxr.train {competition} --recipe {path}"
    prepare = f"{prepare_command(found, competition)}, then " if found.pipeline else ""
    common.end(f"{describe_findings(found)}: {path}.", f"{prepare}{train}")


if __name__ == "__main__":
    play(tune)
