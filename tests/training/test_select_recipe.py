"""With no options, the best that the machine allows; with some, exactly what was requested."""

from pathlib import Path

import pytest

from kagglecxr.core.errors import MissingError, UnknownNameError
from kagglecxr.core.progress import Silent
from kagglecxr.models.zoo import MODELS
from kagglecxr.training.select_recipe import check_accelerators, select_recipe


class _Listening(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


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
    reporter = _Listening()
    recipe = select_recipe(None, None, [], reporter)
    assert (recipe.model, recipe.weights) == ("cnn_small", "")
    assert "no network" in reporter.notes[0]


def test_with_weights_the_default_is_fine_tuned(no_weights: Path) -> None:
    (no_weights / "models").mkdir()
    (no_weights / "models" / MODELS["mobilenet"].weights_file).touch()
    reporter = _Listening()
    recipe = select_recipe(None, None, ["epochs=2"], reporter)
    assert (recipe.model, recipe.weights, recipe.epochs) == ("mobilenet", "imagenet", 2)
    assert reporter.notes == []


def test_named_weights_are_not_looked_for_elsewhere(no_weights: Path) -> None:
    recipe = select_recipe(None, None, ["weights=/somewhere"], _Listening())
    assert (recipe.model, recipe.weights) == ("mobilenet", "/somewhere")


def test_a_model_requested_by_name_is_never_replaced(no_weights: Path) -> None:
    with pytest.raises(MissingError, match="mobilenet_v2"):
        select_recipe(None, "mobilenet_v2", [], _Listening())
    assert select_recipe(None, "cnn_small", [], _Listening()).weights == ""


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


def test_an_unknown_loss_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"no loss of that name.*focal"):
        select_recipe("demo", None, ["loss=focall"], Silent())
