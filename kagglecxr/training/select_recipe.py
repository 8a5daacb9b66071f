"""Selects the recipe to train with: the user's, or the best default for this machine."""

from collections.abc import Sequence

from kagglecxr.core.environment import Check
from kagglecxr.core.errors import MissingError, SettingError
from kagglecxr.core.progress import Reporter
from kagglecxr.models.finding_losses import FINDING_LOSSES
from kagglecxr.models.losses import LOSSES, MASK_LOSSES
from kagglecxr.models.runtime import list_devices, setup_keras
from kagglecxr.models.weights.sources import IMAGENET, each_source, find_weights
from kagglecxr.models.zoo import MODELS
from kagglecxr.training.features.frozen_features import uses_frozen_features
from kagglecxr.training.recipe import Recipe, load_recipe

DEFAULT, FROM_SCRATCH = "default", "cpu_scratch"
MASKS, MASKS_FROM_SCRATCH = "lungs", "lungs_scratch"


def default_recipe(devices: Sequence[str]) -> str:
    """The name of the default recipe for a machine with these accelerators.

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
    """Selects the recipe of the command line, with another model and key=value changes.

    The name None or "default" stands for the default of this machine, or for a recipe without
    pre-trained weights, with a note, where these cannot be downloaded.

    Raises:
        UnknownNameError: no such recipe or model.
        SettingError: a setting that a recipe cannot have.
    """
    overrides = [f'model="{model}"', *changes] if model else list(changes)
    if name not in {None, DEFAULT}:
        return check_model(load_recipe(str(name), overrides))
    recipe = load_recipe(default_recipe(list_devices()), overrides)
    card = MODELS[check_model(recipe).model]
    if not card.download:
        return load_recipe(FROM_SCRATCH, overrides)
    try:
        _check_weights(recipe, changes)
    except MissingError as error:
        if model:
            raise
        reporter.note(f"Training from scratch, which does less well than fine-tuning: {error}")
        return load_recipe(FROM_SCRATCH, changes)
    return recipe


def select_mask_recipe(name: str | None, changes: Sequence[str], reporter: Reporter) -> Recipe:
    """Selects a recipe of masks as `select_recipe` does; the name None stands for the default.

    Raises:
        UnknownNameError: no such recipe or model.
        SettingError: a setting that a recipe cannot have.
    """
    recipe = check_model(load_recipe(name or MASKS, changes))
    if name is not None:
        return recipe
    try:
        _check_weights(recipe, changes)
    except MissingError as error:
        reporter.note(f"Training from scratch on small images: {error}")
        return check_model(load_recipe(MASKS_FROM_SCRATCH, changes))
    return recipe


def _check_weights(recipe: Recipe, changes: Sequence[str]) -> None:
    """Raises MissingError where the weights of a default recipe are not there."""
    if any(change.partition("=")[0].strip() == "weights" for change in changes):
        return
    for source in each_source(recipe.weights):
        find_weights(MODELS[recipe.model], source)


def check_model(recipe: Recipe) -> Recipe:
    """Returns the recipe if its model can be trained for its task.

    Raises:
        UnknownNameError: no such model or loss.
        SettingError: a model of the other task, a model without the weights that it needs, or
            augmentations that cannot move masks.
    """
    card = MODELS[recipe.model]
    if recipe.segmentation is not None:
        return _check_segmentation(recipe)
    if recipe.loss not in FINDING_LOSSES:
        LOSSES[recipe.loss]
    if recipe.linear is not None and not (uses_frozen_features(recipe) and not recipe.stages):
        raise SettingError(
            f"A linear classifier is fitted once, to features that stay the same. Received: "
            f"{recipe.model} with trainable = {recipe.trainable!r}. Use a backbone of the zoo, "
            'trainable = "head", no stages, and no augmentation but hflip, as --recipe features.'
        )
    if card.kind == "segmenter":
        raise SettingError(
            f"A U-Net segments and cannot classify. Received: --model {card.name}. Use another "
            "model of the zoo, or a recipe of masks: --recipe lungs."
        )
    if card.lungs_layer and not set(each_source(recipe.weights)) - {IMAGENET}:
        raise SettingError(
            f"This model contains a U-Net that is not trained here. Received: {card.name} "
            "without weights. Train one with segment COMPETITION --train --recipe report3_unet, "
            "and name its run or weights of a trained unet_bn: --set weights=RUN_OR_FILE."
        )
    return recipe


def _check_segmentation(recipe: Recipe) -> Recipe:
    card, augmentation = MODELS[recipe.model], recipe.augmentation
    MASK_LOSSES[recipe.loss]
    if card.kind != "segmenter":
        raise SettingError(
            f"This model classifies and cannot segment. Received: {card.name} in a recipe of "
            f"masks. Use a U-Net, for example unet_{card.name}."
        )
    mixing = [name for name in ("mixup", "cutmix", "custom") if getattr(augmentation, name)]
    if augmentation.where != "data" or mixing:
        raise SettingError(
            f"This augmentation does not move masks with their images. Received: "
            f"{', '.join(mixing) or 'augmentation.where = model'}. Leave it out of recipes of "
            "masks."
        )
    return recipe
