"""With no options, the best that the machine allows; with some, exactly what was requested."""

from pathlib import Path

import pytest

from kagglecxr.core.errors import CxrError, MissingError, SettingError, UnknownNameError
from kagglecxr.core.progress import Silent
from kagglecxr.models.losses import MASK_LOSSES
from kagglecxr.models.zoo import MODELS
from kagglecxr.training.recipe import make_recipe
from kagglecxr.training.select_recipe import (
    check_accelerators,
    check_model,
    select_mask_recipe,
    select_recipe,
)
from tests.notes import Notes


@pytest.fixture
def no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without ImageNet weights and without a network."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))

    def refuse(*_: object, **__: object) -> str:
        raise OSError("URL fetch failure: no network")

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", refuse)
    monkeypatch.setattr("keras.src.applications.mobilenet.file_utils.get_file", refuse)
    return tmp_path


def test_without_weights_the_small_net_is_trained_and_the_user_informed(no_weights: Path) -> None:
    reporter = Notes()
    recipe = select_recipe(None, None, [], reporter)
    assert (recipe.model, recipe.weights) == ("cnn_small", "")
    assert "no network" in reporter.told[0]


def test_with_weights_the_default_is_fine_tuned(no_weights: Path) -> None:
    (no_weights / "models").mkdir()
    (no_weights / "models" / MODELS["mobilenet"].weights_file).touch()
    reporter = Notes()
    recipe = select_recipe(None, None, ["epochs=2"], reporter)
    assert (recipe.model, recipe.weights, recipe.epochs) == ("mobilenet", "imagenet", 2)
    assert reporter.told == []


def test_named_weights_are_not_looked_for_elsewhere(no_weights: Path) -> None:
    recipe = select_recipe(None, None, ["weights=/somewhere"], Notes())
    assert (recipe.model, recipe.weights) == ("mobilenet", "/somewhere")


def test_a_model_requested_by_name_is_never_replaced(no_weights: Path) -> None:
    with pytest.raises(MissingError, match="mobilenet_v2"):
        select_recipe(None, "mobilenet_v2", [], Notes())
    assert select_recipe(None, "cnn_small", [], Notes()).weights == ""


def test_an_unknown_model_is_named() -> None:
    with pytest.raises(UnknownNameError, match="cnn_smal"):
        select_recipe(None, "cnn_smal", [], Silent())
    with pytest.raises(UnknownNameError, match="cnn_smal"):
        select_recipe("demo", "cnn_smal", [], Silent())


@pytest.mark.parametrize(("devices", "words"), [([], "none (tensorflow"), (["gpu:0"], "gpu:0 (")])
def test_accelerators_are_shown_with_the_recipe_they_mean(
    devices: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kagglecxr.training.select_recipe.list_devices", lambda: devices)
    check = check_accelerators()
    assert words in check.found
    assert f"recipe {'gpu' if devices else 'cpu'} by default" in check.found


def test_without_weights_masks_are_learned_from_scratch(no_weights: Path) -> None:
    reporter = Notes()
    recipe = select_mask_recipe(None, ["epochs=2"], reporter)
    assert (recipe.weights, recipe.epochs) == ("", 2)
    assert recipe.segmentation is not None
    assert MODELS[recipe.model].kind == "segmenter"
    assert "no network" in reporter.told[0]


def test_with_weights_the_u_nets_encoder_is_fine_tuned(no_weights: Path) -> None:
    (no_weights / "models").mkdir()
    (no_weights / "models" / MODELS["unet_mobilenet"].weights_file).touch()
    reporter = Notes()
    recipe = select_mask_recipe(None, [], reporter)
    assert (recipe.model, recipe.weights) == ("unet_mobilenet", "imagenet")
    assert reporter.told == []


def test_a_recipe_of_masks_that_is_named_is_never_replaced(no_weights: Path) -> None:
    reporter = Notes()
    assert select_mask_recipe("lungs", [], reporter).model == "unet_mobilenet"
    assert reporter.told == []


MASKS = {"model": "unet_mobilenet_025", "loss": "dice", "segmentation": {"size": 32}}


def test_a_recipe_of_masks_is_checked_for_what_it_learns() -> None:
    recipe = make_recipe(MASKS)
    assert check_model(recipe) is recipe
    for loss in MASK_LOSSES.names():
        check_model(recipe.model_copy(update={"loss": loss}))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["model=mobilenet_025"], "cannot segment. Received: mobilenet_025 .*unet_mobilenet_025"),
        (["augmentation.mixup=0.2"], "does not move masks.*Received: mixup"),
        (["augmentation.cutmix=0.2", "augmentation.mixup=0.2"], "Received: mixup, cutmix"),
        (["augmentation.where=model"], "Received: augmentation.where = model"),
        (["loss=focal"], "no loss of masks of that name.*cross_entropy_dice"),
        (["loss=dicee"], "dice"),
    ],
)
def test_what_cannot_learn_masks_is_refused(changes: list[str], words: str) -> None:
    with pytest.raises(CxrError, match=words):
        check_model(make_recipe(MASKS, changes))


@pytest.mark.parametrize("model", ["unet_small", "unet_mobilenet_025"])
def test_a_u_net_classifies_nothing(model: str) -> None:
    with pytest.raises(SettingError, match=r"cannot classify.*--recipe lungs"):
        select_recipe("demo", model, [], Silent())


@pytest.mark.parametrize("loss", ["dice", "tversky", "cross_entropy_dice"])
def test_a_loss_of_masks_is_none_of_classes(loss: str) -> None:
    with pytest.raises(UnknownNameError, match="no loss of that name"):
        select_recipe("demo", None, [f"loss={loss}"], Silent())


def test_an_unknown_loss_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"no loss of that name.*focal"):
        select_recipe("demo", None, ["loss=focall"], Silent())
