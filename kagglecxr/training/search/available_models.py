"""Leaves out of a space the models whose weights are not at hand: each trial of one would fail."""

from kagglecxr.core.errors import MissingError, SettingError, WeightsError
from kagglecxr.core.progress import Reporter
from kagglecxr.models.weights.sources import each_source, find_weights
from kagglecxr.models.zoo import MODELS
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.search.space import Space

MODEL = "model"


def with_available_models(space: Space, base: Recipe, reporter: Reporter) -> Space:
    """A space whose models can all be trained from the recipe's weights.

    Args:
        space: what varies.
        base: the recipe that it is laid over.
        reporter: told which models are left out.

    Raises:
        SettingError: there are weights for none of them.
    """
    choices = space.entries.get(MODEL)
    if not isinstance(choices, tuple):
        return space
    missing = {str(name): told for name in choices if (told := _missing(space, base, str(name)))}
    for name, told in missing.items():
        reporter.note(f"The model {name} is not tried: {told}")
    left = tuple(name for name in choices if name not in missing)
    if not left:
        raise SettingError(
            f"There are weights for no model of the space. Received: {', '.join(missing)}. Name a "
            "folder that holds them with --set weights=FOLDER, or an empty one to start from "
            "chance."
        )
    return Space({**space.entries, MODEL: left})


def _missing(space: Space, base: Recipe, name: str) -> str:
    recipe = space.recipe(base, {MODEL: name})
    try:
        for source in each_source(recipe.weights):
            find_weights(MODELS[recipe.model], source)
    except (MissingError, WeightsError) as error:
        return str(error)
    return ""
