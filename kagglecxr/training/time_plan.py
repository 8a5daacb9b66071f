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
from kagglecxr.training.tasks import make_task
from kagglecxr.training.time_costs import epochs_in_time, seconds_of_features

FEATURES = ("features", "features_vgg16", "features_xception")
"""Recipes of linear classifiers on frozen features."""
IN_BFLOAT16 = ("vgg16", "xception")
"""Networks of large products: six and 1.6 times as fast in bfloat16, with the same scores."""
FEWEST_EPOCHS = 4
"""Of a fine-tuning; in fewer it learns less than the features say."""
SHORTEST = 60.0
"""Seconds below which no fine-tuning is thought of: to foretell one takes ten."""
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
        recipes = [found for name in FEATURES if (found := self._find(name))]
        costs = [(seconds_of_features(task, recipe), recipe) for recipe in recipes]
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
        if self.deadline.left() < SHORTEST:
            return runs
        if tuned := self._find(default_recipe(list_devices())):
            left = SHARE * self.deadline.left()
            epochs = min(tuned.epochs, epochs_in_time(task, tuned, left))
            if epochs >= FEWEST_EPOCHS:
                runs.append(self._timed(tuned.model_copy(update={"epochs": epochs}), left)[1])
            else:
                self.reporter.note(
                    f"{tuned.model} is not fine-tuned: {max(epochs, 0)} epochs fit into "
                    f"{left:.0f} s, and fewer than {FEWEST_EPOCHS} are not worth it."
                )
        return runs

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
        is_fast = recipe.linear is not None and recipe.model in IN_BFLOAT16 and has_fast_bfloat16()
        precision = "mixed_bfloat16" if is_fast else recipe.precision
        return recipe.model_copy(update={"model_options": options, "precision": precision})

    def _timed(self, recipe: Recipe, expected: float) -> tuple[float, Path]:
        """Trains a run; returns the seconds that it took, and its folder."""
        start, options = monotonic(), replace(self.options, deadline=self.deadline)
        run = train_run(self.prepared, self.workspace, recipe, self.reporter, options)
        taken = monotonic() - start
        self.reporter.note(f"{run.name}: {taken:.0f} s, {expected:.0f} s were expected.")
        return taken, run
