"""Finds the file that `weights` means: ImageNet's, a path, a Kaggle model or another run."""

import os
from collections.abc import Sequence
from pathlib import Path

from kagglecxr.core.errors import MissingError, WeightsError
from kagglecxr.core.kaggle_model import MOUNTS, SCHEME, KaggleModel
from kagglecxr.core.run_record import WEIGHTS, fold_folder, read_run
from kagglecxr.models.model_card import ModelCard

IMAGENET = "imagenet"

Weights = str | Path | Sequence[str | Path] | None


def keras_models_folder() -> Path:
    """Where Keras keeps downloaded weights: $KERAS_HOME/models, or ~/.keras/models."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "models"


def has_imagenet_weights(card: ModelCard) -> bool:
    """Whether a model's ImageNet weights are on this machine already."""
    return bool(card.weights_file) and (keras_models_folder() / card.weights_file).is_file()


def each_source(weights: Weights) -> list[str]:
    """The sources of weights one by one; several are loaded one after the other."""
    if not weights:
        return []
    several = [weights] if isinstance(weights, str | Path) else weights
    return [str(source) for source in several]


def find_weights(card: ModelCard, source: str, *, fold: int = 0, mounts: Path = MOUNTS) -> Path:
    """The file that one source of weights means for a model.

    Args:
        card: the model's.
        source: "imagenet"; a file; a folder that holds the model's ImageNet file, or one weights
            file alone; a run's folder; or a Kaggle Models handle that a kernel has attached.
        fold: which fold of a run, counted anew where the run has fewer.
        mounts: where Kaggle attaches data and models.

    Raises:
        WeightsError: the model has no ImageNet weights.
        MissingError: the file is not there and cannot be fetched.
    """
    if source == IMAGENET:
        return _imagenet_file(card)
    place = _attached(source, mounts) if source.startswith(SCHEME) else Path(source)
    path = _in_folder(card, place, fold) if place.is_dir() else place
    if not path.is_file():
        raise MissingError(
            f"A weights file is not there. Received: {source} for {card.name} (looked for "
            f"{path}). {_where_to_get(card)}"
        )
    return path


def _in_folder(card: ModelCard, folder: Path, fold: int) -> Path:
    if (folder / "run.json").is_file():
        return fold_folder(folder, fold % read_run(folder).folds) / WEIGHTS
    expected = folder / (card.weights_file or WEIGHTS)
    files = list(folder.glob("*.h5"))
    return files[0] if len(files) == 1 and not expected.is_file() else expected


def _attached(handle: str, mounts: Path) -> Path:
    model = KaggleModel.parse(handle)
    folder = model.attached(mounts)
    if folder is None:
        raise MissingError(
            f"A Kaggle model is not attached. Received: {handle} (looked under {mounts}). In a "
            f"kernel, add {model.source} to model_sources in kernel-metadata.json, or with Add "
            "Input in the editor; elsewhere, train fetches it where there is a network."
        )
    return folder


def _imagenet_file(card: ModelCard) -> Path:
    if card.download is None:
        raise WeightsError(
            f"There are no ImageNet weights for this model. Received: weights='imagenet' for "
            f"{card.name}. Leave weights out to train it from scratch."
        )
    path = keras_models_folder() / card.weights_file
    if not path.is_file():
        try:
            card.download()
        except Exception as error:
            # Keras wraps every cause, no network above all, in a bare Exception.
            raise MissingError(
                f"The ImageNet weights of {card.name} could not be downloaded. Received: "
                f"{' '.join(str(error).split())[:200]}. {_where_to_get(card)}"
            ) from error
    return path


def _where_to_get(card: ModelCard) -> str:
    if not card.weights_file:
        return "Check the path."
    return (
        f"Get {card.weights_file} on a machine with a network (Keras puts it into "
        "~/.keras/models), and name its folder: --set weights=FOLDER. In an offline kernel, attach "
        "it as a dataset and name the mounted folder."
    )
