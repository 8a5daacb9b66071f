"""Where weights come from: ImageNet, a file, a folder, a run or a Kaggle model."""

import os
from collections.abc import Sequence
from pathlib import Path

from kagglecxr.core.environment import Check
from kagglecxr.core.errors import MissingError, WeightsError
from kagglecxr.core.kaggle_model import MOUNTS, SCHEME, KaggleModel
from kagglecxr.core.run_record import WEIGHTS, fold_folder, read_run
from kagglecxr.models.model_card import ModelCard, read_backbones

IMAGENET = "imagenet"

Weights = str | Path | Sequence[str | Path] | None


def keras_models_folder() -> Path:
    """Returns the folder of downloaded weights: $KERAS_HOME/models, or ~/.keras/models."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "models"


def check_imagenet_weights() -> Check:
    """Checks which backbones' ImageNet weights have been downloaded."""
    folder = keras_models_folder()
    names = [row["name"] for row in read_backbones() if (folder / row["weights_file"]).is_file()]
    advice = "They are downloaded at first use; without a network, put the files there or pass "
    advice = "" if names else f"{advice}their folder: --set weights=FOLDER."
    return Check("ImageNet weights", ", ".join(names) or f"none in {folder}", advice, bool(names))


def each_source(weights: Weights) -> list[str]:
    """Returns the sources of weights as a list; several are loaded in turn."""
    if not weights:
        return []
    several = [weights] if isinstance(weights, str | Path) else weights
    return [str(source) for source in several]


def find_weights(card: ModelCard, source: str, *, fold: int = 0) -> Path:
    """Returns the weights file of one source for a model.

    Args:
        card: the facts of the model.
        source: "imagenet"; a file; a folder that holds the model's ImageNet file, or one weights
            file alone; a run's folder; or the handle of a Kaggle model attached to this kernel.
        fold: fold of a run, modulo the run's number of folds.

    Raises:
        WeightsError: the model has no ImageNet weights.
        MissingError: the file does not exist and cannot be downloaded.
    """
    if source == IMAGENET:
        return _imagenet_file(card)
    found = _attached(source) if source.startswith(SCHEME) else Path(source)
    path = _in_folder(card, found, fold) if found.is_dir() else found
    if not path.is_file():
        raise MissingError(
            f"A weights file does not exist. Received: {source} for {card.name} (looked for "
            f"{path}). {_where_to_get(card)}"
        )
    return path


def _in_folder(card: ModelCard, folder: Path, fold: int) -> Path:
    if (folder / "run.json").is_file():
        return fold_folder(folder, fold % read_run(folder).folds) / WEIGHTS
    expected = folder / (card.weights_file or WEIGHTS)
    files = list(folder.glob("*.h5"))
    return files[0] if len(files) == 1 and not expected.is_file() else expected


def _attached(handle: str) -> Path:
    model = KaggleModel.parse(handle)
    folder = model.attached()
    if folder is None:
        raise MissingError(
            f"A Kaggle model is not attached. Received: {handle} (looked in {MOUNTS}). In a "
            f"kernel, add {model.source} to model_sources in kernel-metadata.json, or with Add "
            "Input in the editor; elsewhere, train downloads it if there is a network."
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
            # Keras raises a bare Exception for every cause, such as a missing network.
            raise MissingError(
                f"The ImageNet weights of {card.name} could not be downloaded. Received: "
                f"{' '.join(str(error).split())[:200]}. {_where_to_get(card)}"
            ) from error
    return path


def _where_to_get(card: ModelCard) -> str:
    if not card.weights_file:
        return "Check the path."
    return (
        f"Download {card.weights_file} on a machine with a network (Keras saves it in "
        "~/.keras/models), and pass its folder: --set weights=FOLDER. In an offline kernel, attach "
        "it as a dataset and pass the mounted folder."
    )
