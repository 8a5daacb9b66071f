"""Where a fold's training starts from: files for its recipe's weights, and no leak through them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import LeakError, shorten
from kagglecxr.core.files import file_digest
from kagglecxr.core.kaggle_model import SCHEME, KaggleModel
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import read_run
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.index import Index, read_index
from kagglecxr.data.prepare import PreparedData
from kagglecxr.models.weights.sources import each_source, find_weights, keras_models_folder
from kagglecxr.models.zoo import MODELS
from kagglecxr.remote.download.model_files import fetch_model
from kagglecxr.training.recipe import Recipe


@dataclass(frozen=True)
class SplitDigest:
    """What a fold's images are known by.

    Attributes:
        index: digest of index.csv.
        folds: digest of folds.csv.
    """

    index: str
    folds: str

    @classmethod
    def of(cls, workspace: Workspace, folds: Path) -> "SplitDigest":
        """The split of a workspace's index by a file of folds."""
        return cls(file_digest(workspace.index), file_digest(folds))


def fetch_weights(recipe: Recipe, reporter: Reporter) -> list[str]:
    """A recipe's sources of weights; a Kaggle model that is not attached is fetched.

    Raises:
        MissingError: a model that is neither attached nor can be fetched.
    """
    return [_fetch(source, reporter) for source in each_source(recipe.weights)]


def initial_weights(
    sources: Sequence[str],
    model: str,
    fold: int,
    split: SplitDigest,
    prepared: PreparedData,
    fold_of: npt.NDArray[np.intp],
) -> list[Path]:
    """The weights files from which one fold starts.

    A run gives the weights of its fold of the same number.

    Args:
        sources: what `fetch_weights` gave.
        model: the zoo's name.
        fold: which fold is held out.
        split: of this training.
        prepared: the data.
        fold_of: the fold of each training image.

    Raises:
        LeakError: another run learned from images that are held out here.
        MissingError, WeightsError: weights that are not there or not to be had.
    """
    for source in sources:
        if (Path(source) / "run.json").is_file():
            _assert_no_leak(Path(source), split, prepared, fold_of == fold)
    return [find_weights(MODELS[model], source, fold=fold) for source in sources]


def _fetch(source: str, reporter: Reporter) -> str:
    if not source.startswith(SCHEME):
        return source
    model = KaggleModel.parse(source)
    attached = model.attached()
    return str(attached or fetch_model(model, keras_models_folder() / "kaggle", reporter))


def _assert_no_leak(
    run: Path, split: SplitDigest, prepared: PreparedData, held_out: npt.NDArray[np.bool_]
) -> None:
    """Refuses a run that has learned from what is held out here, or from the test part."""
    record = read_run(run)
    if split == SplitDigest(record.data["index"], record.data["folds"]):
        return
    index_of_run = run.parent.parent / "index.csv"
    if index_of_run.is_file():
        theirs = read_index(index_of_run)
        known = set(theirs.column("phash", theirs.rows("train")))
        rows = _unseen_rows(prepared.index, held_out)
        ids, hashes = (prepared.index.column(name, rows) for name in ("id", "phash"))
        seen = [name for name, value in zip(ids, hashes, strict=True) if value in known]
    else:
        seen = ["all"] if record.competition == prepared.competition.name else []
    if seen:
        raise LeakError(
            f"A run to start from has learned from images that are held out here. Received: {run} "
            f"and {shorten(seen)}. Train both with the same folds, or start from a run on other "
            "images."
        )


def _unseen_rows(index: Index, held_out: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    return np.concatenate([index.rows("train")[held_out], index.rows("test")])
