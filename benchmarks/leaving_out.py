"""How a recipe does on images of other origin: without a source, or files so named.

A random validation flatters a recipe: its images come from the hospitals that the recipe has
learned from. Here all images whose cell holds a text are judged alone, with fold 0's images of the
classes that do not occur among them, so that there is something to confuse them with. What shares a
patient with one of them is judged too.

Run: python -m benchmarks.leaving_out COMPETITION IMAGES WEIGHTS COLUMN=TEXT [key=value ...]
as with source=nih_chestxray14, or with path=NORMAL2 for Kermany's normal children of one kind.
`recipe=NAME` names the recipe, `size=PIXELS` the images' size, `test=SHARE` what is set aside and
never looked at; all else overrides entries of the recipe.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, log_loss

from kagglecxr.core.progress import Terminal
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import load_competition
from kagglecxr.data.prepare import PrepareOptions, prepare_competition
from kagglecxr.data.prepared import PreparedData
from kagglecxr.inference.predictions import Predictions
from kagglecxr.models.model_card import MODELS
from kagglecxr.models.weights.sources import each_source, find_weights
from kagglecxr.training.fold import FoldOptions, train_fold
from kagglecxr.training.recipe import load_recipe
from kagglecxr.training.run_spec import RunSpec
from kagglecxr.training.tasks import make_task

HELD_OUT, LEARNED = 0, 1


def left_out(prepared: PreparedData, column: str, text: str) -> npt.NDArray[np.intp]:
    """Fold 0 for all training images whose cell in a column holds a text, and what goes with them.

    Args:
        prepared: the data.
        column: of the index.
        text: what its cells hold.
    """
    rows = prepared.index.rows("train")
    cells, labels, groups = (
        np.array(prepared.index.column(name, rows)) for name in (column, "label", "group")
    )
    named = np.char.find(cells.astype(str), text) >= 0
    others = ~np.isin(labels, labels[named]) & (prepared.fold == 0)
    held_out = np.isin(groups, groups[named | others])
    return np.where(held_out, HELD_OUT, LEARNED).astype(np.intp)


def describe(found: Predictions, names: list[str]) -> str:
    """The scores of held-out images, and what each class was taken for."""
    truth, decided = found.truth, found.probabilities.argmax(axis=1)
    # Every class counts the same, whatever its share among what was left out.
    weight = 1.0 / np.bincount(truth, minlength=len(names))[truth]
    loss = log_loss(truth, found.probabilities, labels=range(len(names)), sample_weight=weight)
    table = confusion_matrix(truth, decided, labels=range(len(names)))
    lines = [
        f"  {name:20} taken for {dict(zip(names, map(int, row), strict=True))}"
        for name, row in zip(names, table, strict=True)
        if row.sum()
    ]
    balanced = balanced_accuracy_score(truth, decided)
    return "\n".join(
        [f"{len(truth)} images, balanced accuracy {balanced:.4f}, log loss {loss:.4f}", *lines]
    )


def main() -> None:
    """Prints one recipe's scores on what it was not shown the like of."""
    name, images, weights, where, *changes = sys.argv[1:]
    column, _, text = where.partition("=")
    settings = dict(change.split("=", 1) for change in changes)
    recipe_name, size = settings.pop("recipe", "cpu"), int(settings.pop("size", "192"))
    test = float(settings.pop("test", "0"))
    requested = [f"weights={weights}", *(f"{key}={value}" for key, value in settings.items())]
    recipe, competition = load_recipe(recipe_name, requested), load_competition(name)
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder), competition.name)
        request = PrepareOptions(
            Path(images), size, "gray | resize", test, 5, skip_broken=False, seed=0
        )
        prepared = prepare_competition(competition, workspace, request, Terminal())
        files = [find_weights(MODELS[recipe.model], each) for each in each_source(recipe.weights)]
        fold_of = left_out(prepared, column, text)
        run = RunSpec(make_task(prepared), workspace, recipe, fold_of, 0, Path(folder))
        train_fold(run, HELD_OUT, Terminal(), FoldOptions(weights=lambda: files))
        found = Predictions.load(run.fold_folder(HELD_OUT) / "validation.npz")
    print(f"{recipe_name} {' '.join(changes)}, without {where}:")
    print(describe(found, prepared.competition.targets()))


if __name__ == "__main__":
    main()
