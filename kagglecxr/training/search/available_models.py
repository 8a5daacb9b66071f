"""Removes from a search space the models without weights on this machine."""

from kagglecxr.core.errors import MissingError, SettingError, WeightsError
from kagglecxr.core.progress import Reporter
from kagglecxr.models.weights.sources import each_source, find_weights
from kagglecxr.models.zoo import MODELS
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.search.space import Space


def with_available_models(space: Space, base: Recipe, reporter: Reporter) -> Space:
    """Returns the space with only those models that can start from the recipe's weights.

    Raises:
        SettingError: There are weights for none of them.
    """
    choices = space.entries.get("model")
    if not isinstance(choices, tuple):
        return space
    names = map(str, choices)
    missing = {name: error for name in names if (error := _weights_error(space, base, name))}
    for name, error in missing.items():
        reporter.note(f"The model {name} is not tried: {error}")
    left = tuple(name for name in choices if name not in missing)
    if not left:
        raise SettingError(
            f"There are weights for no model of the space. Received: {', '.join(missing)}. Name a "
            "folder that holds them with --set weights=FOLDER, or an empty one to train from "
            "scratch."
        )
    return Space({**space.entries, "model": left})


def _weights_error(space: Space, base: Recipe, name: str) -> str:
    recipe = space.recipe(base, {"model": name})
    try:
        for source in each_source(recipe.weights):
            find_weights(MODELS[recipe.model], source)
    except (MissingError, WeightsError) as error:
        return str(error)
    return ""
