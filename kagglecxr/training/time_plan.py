"""What to train in a given time: classifiers on frozen features first, then all layers.

A candidate's time is expected from a batch of it on this machine, times how much longer or shorter
earlier ones took than expected. What does not fit into the time left is passed over, and both
figures are told.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from kagglecxr.training.select_recipe import default_recipe
from kagglecxr.training.stage import input_shape
from kagglecxr.training.task import Task
from kagglecxr.training.tasks import make_task
from kagglecxr.training.time_costs import epochs_in_time, seconds_of_features

FEATURES = ("features", "features_xception", "features_vgg16")
"""Recipes of linear classifiers on frozen features, those with most for their time first."""
FEWEST_EPOCHS = 4
"""Of a fine-tuning; in fewer it learns less than the features say."""
SHARE = 0.9
"""Of the time left that is planned, since what is expected is not certain."""


@dataclass(frozen=True)
class TimePlan:
    """Trains what fits into a time limit.

    Attributes:
        options: of every run.
        changes: of every recipe, as where its weights are.
        deadline: of all of them.
    """

    prepared: PreparedData
    workspace: Workspace
    reporter: Reporter
    options: RunOptions
    changes: Sequence[str]
    deadline: Deadline

    def train(self) -> list[Path]:
        """Trains run after run and returns their folders; none where nothing fits.

        Raises:
            SettingError: a recipe cannot be changed like that.
        """
        task, runs, pace = make_task(self.prepared), list[Path](), 1.0
        for name in FEATURES:
            if (recipe := self._find(name)) is None:
                continue
            recipe, expected = self._fastest(task, recipe)
            expected *= pace
            left = SHARE * self.deadline.left()
            if expected > left:
                self.reporter.note(
                    f"Features of {recipe.model} are left out: {expected:.0f} s expected, of "
                    f"{left:.0f} s that are left."
                )
                continue
            taken, run = self._timed(recipe, expected)
            runs.append(run)
            pace *= taken / expected
        if recipe := self._find(default_recipe(list_devices())):
            left = SHARE * self.deadline.left()
            epochs = min(recipe.epochs, epochs_in_time(task, recipe, left))
            if epochs >= FEWEST_EPOCHS:
                runs.append(self._timed(recipe.model_copy(update={"epochs": epochs}), left)[1])
            else:
                self.reporter.note(
                    f"{recipe.model} is not fine-tuned: {max(epochs, 0)} epochs fit into "
                    f"{left:.0f} s, and fewer than {FEWEST_EPOCHS} are not worth it."
                )
        return runs

    def _fastest(self, task: Task, recipe: Recipe) -> tuple[Recipe, float]:
        """Features in the precision that this machine computes fastest, and what they take."""
        precisions = ["float32", "mixed_bfloat16"] if has_fast_bfloat16() else [recipe.precision]
        recipes = [recipe.model_copy(update={"precision": each}) for each in precisions]
        seconds = [seconds_of_features(task, each) for each in recipes]
        return min(zip(recipes, seconds, strict=True), key=lambda pair: pair[1])

    def _find(self, name: str) -> Recipe | None:
        """A recipe of the package, for images of this size; None where its weights are missing."""
        recipe = load_recipe(name, self.changes)
        try:
            for source in each_source(recipe.weights):
                find_weights(MODELS[recipe.model], source)
        except MissingError as error:
            self.reporter.note(f"The recipe {name} is left out: {error}")
            return None
        options = dict(recipe.model_options)
        if options.get("side", 0) >= input_shape(self.prepared)[0]:
            del options["side"]
        return recipe.model_copy(update={"model_options": options})

    def _timed(self, recipe: Recipe, expected: float) -> tuple[float, Path]:
        """Trains a run; returns the seconds that it took, and its folder."""
        start, options = monotonic(), replace(self.options, deadline=self.deadline)
        run = train_run(self.prepared, self.workspace, recipe, self.reporter, options)
        taken = monotonic() - start
        self.reporter.note(f"{run.name}: {taken:.0f} s, {expected:.0f} s were expected.")
        return taken, run
