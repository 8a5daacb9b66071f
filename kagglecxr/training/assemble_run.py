"""Makes one run of folds that were trained elsewhere."""

from pathlib import Path

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import read_json
from kagglecxr.core.run_record import fold_folder
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.index import read_folds
from kagglecxr.data.prepare import PreparedData
from kagglecxr.training.fold import FoldSummary
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.run import run_name
from kagglecxr.training.run_results import finish_run


def missing_folds(run: Path, prepared: PreparedData) -> list[int]:
    """The folds of a run that are trained nowhere yet."""
    count = int(read_folds(run / "folds.csv", prepared.index).max()) + 1
    return [i for i in range(count) if not (fold_folder(run, i) / "fold.json").is_file()]


def assemble_run(run: Path, prepared: PreparedData, workspace: Workspace) -> list[int]:
    """Writes run.json and the out-of-fold predictions of a run whose folds are all here.

    Args:
        run: its folder, as it came home.
        prepared: the data here, which have to be those that it was trained on.
        workspace: the competition's.

    Returns:
        The folds that are still missing; run.json is there when none is.

    Raises:
        DataError: it was trained on other data, or on other folds of them.
    """
    values = read_json(run / "recipe.json")
    seed = int(values.pop("seed"))
    missing = missing_folds(run, prepared)
    recipe = Recipe.model_validate(values)
    count = int(read_folds(run / "folds.csv", prepared.index).max()) + 1
    if run.name != run_name(prepared, recipe, count, seed):
        raise DataError(
            f"A run was trained on other data than those prepared here. Received: {run.name}. Run "
            "prepare with the size, pipeline, test share and seed of its kernel's script."
        )
    if not missing and not (run / "run.json").is_file():
        summaries = [
            FoldSummary(**read_json(fold_folder(run, fold) / "fold.json")) for fold in range(count)
        ]
        finish_run(run, prepared, recipe, workspace, summaries, seed)
    return missing
