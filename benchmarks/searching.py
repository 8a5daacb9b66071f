"""Recipes tried in an hour by `tune` and by keras-tuner's `RandomSearch`, and how good they are.

Both search the same space on the same fold, with the same batches, loss and number of epochs; both
scores are the competition's metric after the last epoch, on the held-out images as they are. Start
of processes, features, and trials that are given up early are counted in. keras-tuner builds and
fits a fresh model a trial in one process, as its documentation shows. What counts is the best
recipe found in some time, so `tune` is given the five times as many trials it is to try in it.

Run: pip install keras-tuner, then
     python -m benchmarks.searching head path/to/cxr4 path/to/weights
     python -m benchmarks.searching scratch
"""

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np

from kagglecxr.core.metrics import METRICS
from kagglecxr.core.progress import Silent
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import load_competition
from kagglecxr.data.phantoms import make_demo
from kagglecxr.data.prepare import PrepareOptions, prepare_competition
from kagglecxr.models.model_card import MODELS
from kagglecxr.models.weights.sources import each_source, find_weights
from kagglecxr.training.endless_batches import endless_batches
from kagglecxr.training.fold_data import FoldData
from kagglecxr.training.lr_schedule import RateSchedule
from kagglecxr.training.recipe import Recipe, load_recipe, make_recipe
from kagglecxr.training.search.space import Range, Space, load_space, make_space
from kagglecxr.training.search.trial_process import WarmPool
from kagglecxr.training.search.tuning import tune_recipe
from kagglecxr.training.stage import build_model, compile_model
from kagglecxr.training.task import Task
from kagglecxr.training.tasks import make_task
from kagglecxr.training.training_options import SearchBudget

SEED = 0
MORE = 5
"""How many times as many trials `tune` is given; it should not take longer for all that."""
STILL = [
    f"augmentation.{name}=0" for name in ("rotation", "zoom", "shift", "contrast", "brightness")
]
HEAD = ["model=mobilenet", "trainable=head", "epochs=20", "learning_rate=3e-3", *STILL]
HEAD_SPACE = make_space(
    {
        "learning_rate": {"low": 1e-4, "high": 3e-2, "log": True},
        "weight_decay": {"low": 1e-4, "high": 1e-1, "log": True},
        "label_smoothing": {"low": 0.0, "high": 0.2},
        "model_options.dropout": {"low": 0.0, "high": 0.6},
    }
)


@dataclass(frozen=True)
class Case:
    """What is searched.

    Attributes:
        competition: as on the command line.
        size: pixels of a side.
        recipe: to start from.
        space: what varies.
        trials: how many keras-tuner tries.
    """

    competition: str
    size: int
    recipe: Recipe
    space: Space
    trials: int


class Recipes(keras_tuner.HyperModel):  # type: ignore[misc]
    """A case as a keras-tuner model: how it is built, and how it is fitted."""

    def __init__(self, case: Case, task: Task) -> None:
        super().__init__()
        self._case, self._task = case, task
        self._data = FoldData(task, task.prepared.fold, 0)

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """A fresh, compiled model."""
        recipe = self._recipe(hp)
        files = [find_weights(MODELS[recipe.model], s) for s in each_source(recipe.weights)]
        model = build_model(self._task, recipe, files)
        steps = len(self._data.training_batches(recipe, SEED))
        compile_model(model, self._task, recipe, steps)
        return model

    def fit(
        self, hp: keras_tuner.HyperParameters, model: keras.Model, **options: Any
    ) -> dict[str, float]:
        """Fits it; the score is the competition's metric after the last epoch."""
        recipe = self._recipe(hp)
        inputs = self._data.fit_inputs(model, recipe, SEED)
        schedule = RateSchedule(recipe, len(inputs.batches), 0, list)
        model.fit(
            inputs.batches,
            validation_data=endless_batches(inputs.validation),
            validation_steps=inputs.validation_steps,
            epochs=recipe.epochs,
            shuffle=False,
            verbose=0,
            callbacks=[*options["callbacks"], schedule],
        )
        predictions = self._data.predictions({"identity": inputs.predict(["identity"])})
        return {"score": predictions.score()}

    def _recipe(self, hp: keras_tuner.HyperParameters) -> Recipe:
        values = {name: _ask(hp, name, entry) for name, entry in self._case.space.entries.items()}
        return self._case.space.recipe(self._case.recipe, values)


def _ask(hp: keras_tuner.HyperParameters, name: str, entry: Range | Sequence[Any]) -> Any:
    if not isinstance(entry, Range):
        return hp.Choice(name, list(entry))
    make = hp.Int if entry.is_integer() else hp.Float
    return make(name, entry.low, entry.high, sampling="log" if entry.log else "linear")


def search(case: Case, root: Path) -> None:
    """Prints what both have tried in an hour, and their best scores."""
    competition = load_competition(case.competition)
    workspace = Workspace(root, competition.name)
    if competition.source.kind == "demo":
        make_demo(workspace.raw, SEED, Silent())
    request = PrepareOptions(None, case.size, "gray | resize", 0.2, 5, skip_broken=False, seed=SEED)
    prepared = prepare_competition(competition, workspace, request, Silent())
    best: list[float] = []

    def ours() -> None:
        budget = SearchBudget(MORE * case.trials, workers=os.cpu_count() or 1)
        with WarmPool() as launch:
            found = tune_recipe(
                case.competition, prepared, workspace, case.recipe, case.space, budget, launch,
                Silent(), seed=SEED,
            )  # fmt: skip
        best.append(found.score)
        ended = {state: found.count(state) for state in ("finished", "pruned", "failed")}
        print(f"tune: {ended}, {found.trials['epochs'].sum()} epochs")

    def theirs() -> None:
        metric = METRICS[competition.metric.name]
        tuner = keras_tuner.RandomSearch(
            Recipes(case, make_task(prepared)),
            objective=keras_tuner.Objective("score", "max" if metric.greater_is_better else "min"),
            max_trials=case.trials,
            seed=SEED,
            directory=root / "keras-tuner",
        )
        tuner.search(verbose=0)
        best.append(tuner.oracle.get_best_trials(1)[0].score)

    _print(ours, theirs, best, case.trials)


def _print(
    ours: Callable[[], None], theirs: Callable[[], None], best: list[float], trials: int
) -> None:
    hours, work = np.array([_hours(ours), _hours(theirs)]).T
    tune, tuner = np.array([MORE * trials, trials]) / hours
    print(
        f"{tune:.0f} trials an hour by tune ({MORE * trials} in {3600 * hours[0]:.0f} s, best "
        f"{best[0]:.4f}), {tuner:.0f} by keras-tuner ({trials} in {3600 * hours[1]:.0f} s, best "
        f"{best[1]:.4f}), ratio {tune / tuner:.1f}, by hours of the processor "
        f"{MORE * work[1] / work[0]:.1f} (wanted: 5, best no worse)"
    )


def _hours(search: Callable[[], None]) -> tuple[float, float]:
    """Of the clock, and of the processor: those depend less on what else the machine does."""
    before = os.times()
    search()
    spent = np.subtract(os.times(), before) / 3600
    return float(spent[4]), float(spent[:4].sum())


def main() -> None:
    """Prints one case's ratio."""
    which, *paths = sys.argv[1:]
    if which == "head":
        images, weights = paths
        recipe = make_recipe(
            {}, [*HEAD, f"weights={Path(weights).absolute()}", 'views=["identity"]']
        )
        case = Case(images, 128, recipe, HEAD_SPACE, 8)
    else:
        recipe = load_recipe("demo", ['views=["identity"]'])
        case = Case("demo", 128, recipe, load_space("cpu"), 20)
    with tempfile.TemporaryDirectory() as folder:
        search(case, Path(folder))


if __name__ == "__main__":
    main()
