"""Which recipe to train with: the user's, or the kit's best for this machine."""

from collections.abc import Sequence

from kagglecxr.core.errors import MissingError
from kagglecxr.core.progress import Reporter
from kagglecxr.models.card import MODELS
from kagglecxr.models.factory import list_models
from kagglecxr.models.weights import find_weights
from kagglecxr.training.recipe import Recipe, load_recipe

FINE_TUNED, FROM_SCRATCH = "cpu", "cpu_scratch"


def choose_recipe(
    name: str | None, model: str | None, changes: Sequence[str], reporter: Reporter
) -> Recipe:
    """The recipe that the command line asks for.

    Args:
        name: a recipe's name or file; the kit's default for this machine where None.
        model: the zoo's name of another model than the recipe's, with Keras' own batch
            normalisation and pre-trained weights only where they can be had.
        changes: entries laid over it, as key=value.
        reporter: told where something less good than the default is used.

    Raises:
        UnknownNameError: no such recipe or model.
        SettingError: an entry that a recipe cannot have.
    """
    asked = [f'model="{model}"', *changes] if model else list(changes)
    if name:
        return _known(load_recipe(name, asked))
    wanted = load_recipe(FINE_TUNED, asked)
    card = MODELS[_known(wanted).model]
    if not card.is_backbone:
        return load_recipe(FROM_SCRATCH, asked)
    if any(change.partition("=")[0].strip() == "weights" for change in changes):
        return wanted
    try:
        find_weights(card, wanted.weights)
    except MissingError as error:
        if model:
            raise
        reporter.note(f"Training from scratch, which does less well than fine-tuning: {error}")
        return load_recipe(FROM_SCRATCH, changes)
    return wanted


def _known(recipe: Recipe) -> Recipe:
    list_models()  # fills the registry
    _ = MODELS[recipe.model]
    return recipe
