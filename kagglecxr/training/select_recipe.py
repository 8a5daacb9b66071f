"""Which recipe to train with: the user's, or the kit's best for this machine."""

from collections.abc import Sequence

from kagglecxr.core.environment import Check
from kagglecxr.core.errors import MissingError, SettingError
from kagglecxr.core.progress import Reporter
from kagglecxr.models.runtime import list_devices, setup_keras
from kagglecxr.models.weights.sources import IMAGENET, each_source, find_weights
from kagglecxr.models.zoo import MODELS
from kagglecxr.training.recipe import Recipe, load_recipe

DEFAULT, FROM_SCRATCH = "default", "cpu_scratch"


def default_recipe(devices: Sequence[str]) -> str:
    """The name of the kit's best recipe for a machine with these accelerators.

    >>> default_recipe([]), default_recipe(["gpu:0"])
    ('cpu', 'gpu')
    """
    return "gpu" if devices else "cpu"


def check_accelerators() -> Check:
    """Checks which accelerators Keras sees, and names the default recipe for them."""
    backend, devices = setup_keras(), list_devices()
    recipe = f"train uses the recipe {default_recipe(devices)} by default"
    if devices:
        return Check("accelerators", f"{', '.join(devices)} ({backend}); {recipe}")
    return Check(
        "accelerators",
        f"none ({backend} on the CPU); {recipe}",
        "Small models and frozen backbones train well here; for more, use a Kaggle kernel.",
    )


def select_recipe(
    name: str | None, model: str | None, changes: Sequence[str], reporter: Reporter
) -> Recipe:
    """The recipe that the command line asks for.

    Args:
        name: a recipe's name or file; the kit's default for this machine where None or "default".
        model: the zoo's name of another model than the recipe's, with Keras' own batch
            normalisation and pre-trained weights only where they can be had.
        changes: entries laid over it, as key=value.
        reporter: told where something less good than the default is used.

    Raises:
        UnknownNameError: no such recipe or model.
        SettingError: an entry that a recipe cannot have.
    """
    asked = [f'model="{model}"', *changes] if model else list(changes)
    if name not in {None, DEFAULT}:
        return check_model(load_recipe(str(name), asked))
    wanted = load_recipe(default_recipe(list_devices()), asked)
    card = MODELS[check_model(wanted).model]
    if not card.download:
        return load_recipe(FROM_SCRATCH, asked)
    if any(change.partition("=")[0].strip() == "weights" for change in changes):
        return wanted
    try:
        for source in each_source(wanted.weights):
            find_weights(card, source)
    except MissingError as error:
        if model:
            raise
        reporter.note(f"Training from scratch, which does less well than fine-tuning: {error}")
        return load_recipe(FROM_SCRATCH, changes)
    return wanted


def check_model(recipe: Recipe) -> Recipe:
    """The recipe itself, if its model is one that can be trained.

    Raises:
        UnknownNameError: no such model.
        SettingError: a model that tells no classes, or lacks the weights it cannot do without.
    """
    card = MODELS[recipe.model]
    if card.kind == "segmenter":
        raise SettingError(
            f"A U-Net draws masks and tells no classes. Received: --model {card.name}. Use another "
            "model of the zoo."
        )
    if card.lungs_layer and not set(each_source(recipe.weights)) - {IMAGENET}:
        raise SettingError(
            f"This model looks through a U-Net that does not learn here. Received: {card.name} "
            "without weights. Name those of a trained unet_bn: --set weights=FILE."
        )
    return recipe
