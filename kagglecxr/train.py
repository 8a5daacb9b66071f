"""The verb `train`: k-fold training with out-of-fold predictions."""

from typing import Annotated

from cyclopts import Parameter

from kagglecxr.core.verb import Common, play


def train(
    competition: str,
    *,
    model: str | None = None,
    recipe: str | None = None,
    folds: int | None = None,
    fold: int | None = None,
    changes: Annotated[tuple[str, ...], Parameter(name="--set", negative="")] = (),
    common: Common = Common(),  # noqa: B008 frozen
) -> None:
    """K-fold training; with no options, the kit's best default for this machine.

    Example: python -m kagglecxr.train demo --model cnn_small --set epochs=5

    Args:
        competition: A preset's name, a TOML file, or a folder with one sub-folder a class.
        model: The zoo's name of a model, in place of the recipe's.
        recipe: A recipe's name or TOML file.
        folds: Folds to split the training part into; those that prepare made unless told.
        fold: Train this fold alone.
        changes: A recipe's entry as key=value; can be given several times.
        common: Options of every verb.
    """
    from kagglecxr.models.runtime import start_keras

    start_keras()
    from kagglecxr.data.competition import load_competition
    from kagglecxr.data.preparation import load_prepared
    from kagglecxr.reports.run_report import report_run
    from kagglecxr.training.choice import choose_recipe
    from kagglecxr.training.run import describe_run, train_run

    described = load_competition(competition)
    workspace = common.workspace(described.name)
    prepared = load_prepared(described, workspace)
    chosen = choose_recipe(recipe, model, changes, common.terminal)
    run = train_run(
        prepared,
        workspace,
        chosen,
        common.terminal,
        folds=folds,
        only_fold=fold,
        seed=common.seed,
    )
    if not (run / "run.json").is_file():
        common.end(f"Trained fold {fold}: {run}.", "the same command for the other folds")
        return
    report_run(run)
    common.end(describe_run(run), f"python -m kagglecxr.ensemble {competition} {run.name}")


if __name__ == "__main__":
    play(train)
