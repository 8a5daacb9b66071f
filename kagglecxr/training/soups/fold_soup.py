"""Averages the folds of one run into one network, which has no held-out images."""

import dataclasses
from pathlib import Path

from kagglecxr.core.errors import SettingError
from kagglecxr.core.files import digest, write_json
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import WEIGHTS, fold_folder
from kagglecxr.core.seeding import derive_seed
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.index import read_folds
from kagglecxr.data.prepare import PreparedData
from kagglecxr.inference.members import read_compatible_run
from kagglecxr.models.runtime import seed_everything
from kagglecxr.models.weights.hdf5 import save_weights
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.run_results import SOURCE_RUNS
from kagglecxr.training.run_spec import RunSpec
from kagglecxr.training.soups.mean_weights import AveragedFold
from kagglecxr.training.task import make_task


def make_fold_soup(
    prepared: PreparedData, workspace: Workspace, run: Path, reporter: Reporter
) -> Path:
    """The mean of all folds of a run, as a run of one network, which predicts as fast as a fold.

    It has no out-of-fold score, and no fold can be chosen or left out by one: each training image
    was seen by all of the folds but one, so any two of them have seen it. What it is worth only a
    test part tells. It works where the folds start from the same trained weights.

    Raises:
        SettingError: a run of a single network.
        DataError: it was trained for other targets or images.
    """
    record = read_compatible_run(run, prepared)
    if record.folds < 2:
        raise SettingError(
            f"A soup is of several runs, or of the folds of one. Received: {record.name} alone, "
            "which is one network already. Name several runs, or one with folds."
        )
    folder = workspace.runs / f"soup-{digest(record.name, 'folds')[:8]}"
    reporter.note(
        f"The mean of the folds of {record.name} has no out-of-fold score: every training image "
        "was seen by all of its folds but one."
    )
    if (folder / "run.json").is_file():
        return folder
    seed_everything(derive_seed(record.seed, "soup"))
    fold_of = read_folds(run / "folds.csv", prepared.index)
    recipe = Recipe.model_validate(record.recipe)
    soup = RunSpec(make_task(prepared), workspace, recipe, fold_of, record.seed, folder)
    mean = AveragedFold(soup, [run])
    mean.load_all_folds(run)
    write_json(
        folder / "recipe.json", {"seed": record.seed, SOURCE_RUNS: [record.name], **record.recipe}
    )
    save_weights(mean.model, fold_folder(folder, 0) / WEIGHTS)
    dataclasses.replace(
        record,
        name=folder.name,
        folds=1,
        # No fold is held out, so that no training on the same images may start from it.
        data=record.data | {"folds": "none is held out", SOURCE_RUNS: record.name},
        seconds=[sum(record.seconds)],
        metrics={},
    ).write(folder)
    return folder
