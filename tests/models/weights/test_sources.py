"""Weights are found where they are said to be, or it is said how to get them."""

import dataclasses
from pathlib import Path

import pytest

from kagglecxr.core import kaggle_model
from kagglecxr.core.errors import MissingError, WeightsError
from kagglecxr.models import create_model
from kagglecxr.models.model_card import MODELS
from kagglecxr.models.weights.sources import check_imagenet_weights, find_weights
from tests.reports.conftest import RECORD

SHAPE = (32, 32, 1)


def test_a_folder_means_the_model_s_file_in_it(tmp_path: Path) -> None:
    file = tmp_path / MODELS["mobilenet_025"].weights_file
    file.touch()
    assert find_weights(MODELS["mobilenet_025"], str(tmp_path)) == file


def test_imagenet_means_keras_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = MODELS["mobilenet_025"]
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert not check_imagenet_weights().is_ok
    assert "--set weights=" in check_imagenet_weights().advice
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / card.weights_file).touch()
    assert check_imagenet_weights().found == card.name
    assert find_weights(card, "imagenet") == tmp_path / "models" / card.weights_file


def test_a_missing_file_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"mobilenet_2_5_224_tf_no_top\.h5.*offline kernel"):
        find_weights(MODELS["mobilenet_025"], str(tmp_path))


def test_a_net_without_imagenet_weights_says_so() -> None:
    with pytest.raises(WeightsError, match="cnn_small"):
        create_model("cnn_small", num_classes=2, input_shape=SHAPE, weights="imagenet")


def test_a_folder_with_one_weights_file_means_that(tmp_path: Path) -> None:
    file = tmp_path / "mine.weights.h5"
    file.touch()
    assert find_weights(MODELS["cnn_small"], str(tmp_path)) == file


def test_a_kaggle_model_is_found_where_it_is_attached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kaggle_model, "MOUNTS", tmp_path)
    card = MODELS["mobilenet_025"]
    folder = tmp_path / "models/me/cxr/keras/small/2"
    folder.mkdir(parents=True)
    (folder / card.weights_file).touch()
    found = find_weights(card, "kaggle://me/cxr/keras/small/2")
    assert found == folder / card.weights_file


def test_a_kaggle_model_that_is_not_attached_says_how_to() -> None:
    with pytest.raises(MissingError, match=r"me/cxr/keras/small/2 to model_sources"):
        find_weights(MODELS["cnn_small"], "kaggle://me/cxr/keras/small/2")


@pytest.mark.parametrize(("fold", "expected"), [(0, 0), (1, 1), (2, 0)])
def test_a_run_gives_the_fold_of_the_same_number(tmp_path: Path, fold: int, expected: int) -> None:
    dataclasses.replace(RECORD, folds=2).write(tmp_path)
    for number in (0, 1):
        (tmp_path / f"fold-{number}").mkdir()
        (tmp_path / f"fold-{number}" / "model.weights.h5").touch()
    found = find_weights(MODELS["cnn_small"], str(tmp_path), fold=fold)
    assert found == tmp_path / f"fold-{expected}" / "model.weights.h5"
