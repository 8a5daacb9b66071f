"""How a recipe does on images of other origin: without a source, or files so named.

A random validation flatters a recipe: its images come from the hospitals that the recipe has
learned from. Here no fold learns from images whose cell holds a text, nor from what shares a
patient with one of them: these are predicted by the mean of all folds, all others out of fold.

Run: python -m benchmarks.leaving_out COMPETITION IMAGES WEIGHTS COLUMN=TEXT [key=value ...]
as with source=nih_chestxray14, or with path=NORMAL2 for Kermany's normal children of one kind.
`recipe=NAME` names the recipe, `size=PIXELS` and `pipeline=STEPS` the images, `folds=1` trains the
first fold alone, `test=SHARE` is what is set aside and never looked at, `keep=FILE.npz` has the
predictions; all else overrides entries of the recipe.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_curve

from kagglecxr.core.progress import Terminal
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import load_competition
from kagglecxr.data.prepare import PrepareOptions, prepare_competition
from kagglecxr.data.prepared import PreparedData
from kagglecxr.inference.predictions import Predictions
from kagglecxr.models.model_card import MODELS
from kagglecxr.models.weights.sources import each_source, find_weights
from kagglecxr.training.fold import FoldOptions, train_fold
from kagglecxr.training.recipe import Recipe, load_recipe
from kagglecxr.training.run_spec import RunSpec
from kagglecxr.training.task import Task
from kagglecxr.training.tasks import make_task

FOLDS = 5


def left_out(prepared: PreparedData, column: str, text: str) -> npt.NDArray[np.bool_]:
    """Which training images have a cell that holds a text, or a patient of those that do."""
    rows = prepared.index.rows("train")
    cells, groups = (np.array(prepared.index.column(name, rows)) for name in (column, "group"))
    named = np.char.find(cells.astype(str), text) >= 0
    return np.isin(groups, groups[named])


def predicted(
    run: Path,
    task: Task,
    workspace: Workspace,
    recipe: Recipe,
    away: npt.NDArray[np.bool_],
    folds: int,
) -> Predictions:
    """Of those that are left out the mean of all folds, of the others the held-out fold."""
    prepared = task.prepared
    files = [find_weights(MODELS[recipe.model], each) for each in each_source(recipe.weights)]
    ids = prepared.index.column("id", prepared.index.rows("train"))
    total: dict[str, npt.NDArray[np.float32]] = {}
    truth: dict[str, int] = {}
    for fold in range(folds):
        fold_of = np.where(away, fold, prepared.fold)
        spec = RunSpec(task, workspace, recipe, fold_of, 0, run)
        train_fold(spec, fold, Terminal(), FoldOptions(weights=lambda: files))
        found = Predictions.load(spec.fold_folder(fold) / "validation.npz")
        for name, values, label in zip(found.ids, found.probabilities, found.truth, strict=True):
            total[name] = total.get(name, 0) + values
            truth[name] = label
    known = [name for name in ids if name in total]
    outputs = np.array([total[name] / total[name].sum() for name in known])
    return Predictions(np.array(known), outputs, np.array([truth[name] for name in known]))


def describe(title: str, found: Predictions, names: list[str], threshold: float | None) -> str:
    """What share of each class is found; of two, the second from a threshold on."""
    decided = found.probabilities.argmax(axis=1)
    if threshold is not None:
        decided = (found.probabilities[:, 1] >= threshold).astype(int)
    shares = [
        f"{name} {(decided[found.truth == number] == number).mean():.4f} of "
        f"{(found.truth == number).sum()}"
        for number, name in enumerate(names)
        if (found.truth == number).any()
    ]
    return f"  {title}: {', '.join(shares)}"


def best_threshold(found: Predictions) -> float:
    """The threshold of the highest balanced accuracy."""
    false, true, thresholds = roc_curve(found.truth, found.probabilities[:, 1])
    return float(thresholds[np.argmax(true - false)])


def main() -> None:
    """Prints what a recipe finds of what it was not shown the like of, and of the others."""
    name, images, weights, where, *changes = sys.argv[1:]
    column, _, text = where.partition("=")
    settings = dict(change.split("=", 1) for change in changes)
    recipe_name, size = settings.pop("recipe", "cpu"), int(settings.pop("size", "192"))
    test, folds = float(settings.pop("test", "0")), int(settings.pop("folds", FOLDS))
    pipeline, keep = settings.pop("pipeline", "gray | resize"), settings.pop("keep", "")
    requested = [f"weights={weights}", *(f"{key}={value}" for key, value in settings.items())]
    recipe, competition = load_recipe(recipe_name, requested), load_competition(name)
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder), competition.name)
        request = PrepareOptions(
            Path(images), size, pipeline, test, FOLDS, skip_broken=False, seed=0
        )
        prepared = prepare_competition(competition, workspace, request, Terminal())
        away = left_out(prepared, column, text)
        found = predicted(Path(folder), make_task(prepared), workspace, recipe, away, folds)
    if keep:
        found.save(Path(keep))
    names = prepared.competition.targets()
    ids = prepared.index.column("id", prepared.index.rows("train"))
    is_away = np.isin(found.ids, np.array(ids)[away])
    others, unlike = (
        Predictions(found.ids[rows], found.probabilities[rows], found.truth[rows])
        for rows in (~is_away, is_away)
    )
    print(f"{recipe_name} {' '.join(changes)}, without {where}:")
    for threshold in (None, best_threshold(others)) if len(names) == 2 else (None,):
        if threshold is not None:
            print(f"  from the threshold {threshold:.3f}, which is best out of fold:")
        print(describe("out of fold", others, names, threshold))
        print(describe("left out", unlike, names, threshold))


if __name__ == "__main__":
    main()
