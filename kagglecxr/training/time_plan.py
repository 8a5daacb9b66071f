"""What to train in a given time: classifiers on frozen features first, then all layers.

A candidate's time is expected from a batch of it on this machine, times how much longer or shorter
the one before took than expected. What does not fit into the time left is passed over, and both
figures are told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from kagglecxr.core.deadline import Deadline
from kagglecxr.core.errors import MissingError
from kagglecxr.core.progress import Reporter
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.prepared import PreparedData
from kagglecxr.models.devices import has_fast_bfloat16
from kagglecxr.models.runtime import list_devices
from kagglecxr.models.weights.sources import each_source, find_weights
from kagglecxr.models.zoo import MODELS
from kagglecxr.training.recipe import Recipe, load_recipe
from kagglecxr.training.run import RunOptions, train_run
from kagglecxr.training.run_spec import run_name
from kagglecxr.training.select_recipe import default_recipe, select_recipe
from kagglecxr.training.stage import input_shape
from kagglecxr.training.tasks import make_task
from kagglecxr.training.time_costs import epoch_costs, seconds_of_features

FEATURES = ("features", "features_vgg16", "features_xception")
"""Recipes of linear classifiers on frozen features."""
IN_BFLOAT16 = ("vgg16", "xception")
"""Networks of large products: six and 1.6 times as fast in bfloat16, with the same scores."""
FEWEST_EPOCHS = 4
"""Of a fine-tuning; in fewer it learns less than the features say."""
SMALLEST_SIDE = 128
"""Pixels to which images are reduced at most, where epochs of larger ones do not fit."""
SHORTEST = 60.0
"""Seconds that are left at least where a fine-tuning is planned."""
SHARE = 0.9
"""Of the time left that is planned, since what is expected is not certain."""
_FOR_PAGES = 45.0, 0.15
"""What the pages of the runs take, which come last: seconds, and the largest share of all time."""


def deadline_of_training(timeout: float) -> Deadline:
    """Returns by when training ends, so that all that `train` does ends within so many seconds."""
    seconds, share = _FOR_PAGES
    return Deadline.within(timeout - min(seconds, share * timeout))


def leaves_the_choice(recipe: str | None, model: str | None, changes: Sequence[str]) -> bool:
    """Whether a command line says nothing of what is trained, but for the folder of the weights."""
    values = [change.partition("=") for change in changes]
    return (recipe, model) == (None, None) and all(
        name == "weights" and Path(value).is_dir() for name, _, value in values
    )


def in_fastest_precision(recipe: Recipe) -> Recipe:
    """Returns a recipe of frozen features in bfloat16, where that is faster on this machine."""
    if recipe.linear is not None and recipe.model in IN_BFLOAT16 and has_fast_bfloat16():
        return recipe.model_copy(update={"precision": "mixed_bfloat16"})
    return recipe


@dataclass(frozen=True)
class TimePlan:
    """Trains what fits into a time limit.

    Attributes:
        seed: of every run.
        changes: of every recipe, as where its weights are.
        deadline: of all of them.
    """

    prepared: PreparedData
    workspace: Workspace
    reporter: Reporter
    seed: int
    changes: Sequence[str]
    deadline: Deadline

    def train(self) -> list[Path]:
        """Trains run after run and returns their folders; the default alone where none fits.

        Raises:
            SettingError: a recipe cannot be changed like that.
        """
        runs = self._train_features()
        if self.deadline.left() > SHORTEST and (tuned := self._shortened()):
            runs.append(self._timed(tuned, SHARE * self.deadline.left())[1])
        if not runs:
            runs = [self._train(select_recipe(None, None, self.changes, self.reporter))]
        return runs

    def _train_features(self) -> list[Path]:
        """Trains linear classifiers, those that are finished already first, then the cheapest."""
        recipes = [found for name in FEATURES if (found := self._find(name))]
        runs = [self._train(recipe) for recipe in recipes if self._is_finished(recipe)]
        task, pace = make_task(self.prepared), 1.0
        costs = [
            (seconds_of_features(task, recipe), recipe)
            for recipe in recipes
            if not self._is_finished(recipe)
        ]
        for seconds, recipe in sorted(costs, key=lambda pair: pair[0]):
            expected, left = pace * seconds, SHARE * self.deadline.left()
            if expected > left:
                self.reporter.note(
                    f"Features of {recipe.model} are left out: {expected:.0f} s expected, of "
                    f"{max(left, 0.0):.0f} s that are left."
                )
                continue
            taken, run = self._timed(recipe, expected)
            runs.append(run)
            pace = taken / seconds
        return runs

    def _shortened(self) -> Recipe | None:
        """The default recipe with as many epochs as fit; None where they are too few.

        Where they are too few for images as they are, of the largest for which they are enough.
        """
        if (recipe := self._find(default_recipe(list_devices()))) is None:
            return None
        left = SHARE * self.deadline.left()
        costs, own = epoch_costs(make_task(self.prepared), recipe), input_shape(self.prepared)[0]
        for side in (own, *range((own - 1) // 32 * 32, SMALLEST_SIDE - 1, -32)):
            epochs = min(recipe.epochs, costs.epochs_in(left, (side / own) ** 2))
            if epochs >= FEWEST_EPOCHS:
                options = recipe.model_options | ({"side": side} if side < own else {})
                return recipe.model_copy(update={"epochs": epochs, "model_options": options})
        self.reporter.note(
            f"{recipe.model} is not fine-tuned: {max(epochs, 0)} epochs of {side} pixels fit into "
            f"{left:.0f} s, and fewer than {FEWEST_EPOCHS} are not worth it."
        )
        return None

    def _find(self, name: str) -> Recipe | None:
        """A recipe of the package, for images of this size; None where it has none for them."""
        recipe, side = load_recipe(name, self.changes), input_shape(self.prepared)[0]
        if (smallest := MODELS[recipe.model].smallest) > side:
            self.reporter.note(
                f"The recipe {name} is left out: {recipe.model} needs {smallest} pixels or more, "
                f"and images have {side}."
            )
            return None
        try:
            for source in each_source(recipe.weights):
                find_weights(MODELS[recipe.model], source)
        except MissingError as error:
            self.reporter.note(f"The recipe {name} is left out: {error}")
            return None
        options = dict(recipe.model_options)
        if options.get("side", 0) >= side:
            del options["side"]
        return in_fastest_precision(recipe.model_copy(update={"model_options": options}))

    def _is_finished(self, recipe: Recipe) -> bool:
        folds = int(self.prepared.fold.max()) + 1
        name = run_name(self.prepared, recipe, folds, self.seed)
        return (self.workspace.runs / name / "run.json").is_file()

    def _train(self, recipe: Recipe) -> Path:
        options = RunOptions(self.seed, deadline=self.deadline)
        return train_run(self.prepared, self.workspace, recipe, self.reporter, options)

    def _timed(self, recipe: Recipe, expected: float) -> tuple[float, Path]:
        """Trains a run; returns the seconds that it took, and its folder."""
        start = monotonic()
        run = self._train(recipe)
        taken = monotonic() - start
        self.reporter.note(f"{run.name}: {taken:.0f} s, {expected:.0f} s were expected.")
        return taken, run
