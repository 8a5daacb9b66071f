"""The weights files that a fold starts from, refused where held-out images leak through them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import LeakError, shorten
from kagglecxr.core.files import file_digest
from kagglecxr.core.kaggle_model import SCHEME, KaggleModel
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import read_run, segments
from kagglecxr.data.index import read_index
from kagglecxr.data.predicted_masks import index_digest
from kagglecxr.models.weights.sources import each_source, find_weights, keras_models_folder
from kagglecxr.models.zoo import MODELS
from kagglecxr.remote.download.model_files import fetch_model
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.run_spec import RunSpec


def fetch_weights(recipe: Recipe, reporter: Reporter) -> list[str]:
    """A recipe's sources of weights; a Kaggle model that is not attached is downloaded.

    Raises:
        MissingError: a model that is neither attached nor can be downloaded.
    """
    return [_fetch(source, reporter) for source in each_source(recipe.weights)]


@dataclass(frozen=True)
class InitialWeights:
    """The weights files that each fold of a run starts from.

    Attributes:
        sources: what `fetch_weights` returned.
        folds: the CSV file of the run's folds.
    """

    run: RunSpec
    sources: Sequence[str]
    folds: Path

    def of_fold(self, fold: int) -> list[Path]:
        """The files of one fold; of another run, the weights of its fold of the same number.

        Raises:
            LeakError: another run learned from images that are held out here.
            MissingError, WeightsError: weights that do not exist or cannot be read.
        """
        for source in self.sources:
            # From masks nothing is learned of labels.
            is_of_masks = self.run.recipe.segmentation is None and segments(Path(source))
            if (Path(source) / "run.json").is_file() and not is_of_masks:
                self._assert_no_leak(Path(source), self.run.fold_of == fold)
        card = MODELS[self.run.recipe.model]
        return [find_weights(card, source, fold=fold) for source in self.sources]

    def _assert_no_leak(self, source: Path, held_out: npt.NDArray[np.bool_]) -> None:
        """Refuses a run that has learned from images held out here, or from test images."""
        record, prepared = read_run(source), self.run.prepared
        split = index_digest(self.run.workspace), file_digest(self.folds)
        if split == (record.data["index"], record.data["folds"]):
            return
        index_of_source = source.parent.parent / "index.csv"
        if index_of_source.is_file():
            theirs, index = read_index(index_of_source), prepared.index
            learned = set(theirs.column("phash", theirs.rows("train")))
            rows = np.concatenate([index.rows("train")[held_out], index.rows("test")])
            ids, hashes = (index.column(name, rows) for name in ("id", "phash"))
            leaked = [name for name, value in zip(ids, hashes, strict=True) if value in learned]
        else:
            leaked = ["all"] if record.competition == prepared.competition.name else []
        if leaked:
            raise LeakError(
                f"A run to start from has learned from images that are held out here. Received: "
                f"{source} and {shorten(leaked)}. Train both with the same folds, or start from a "
                "run on other images."
            )


def _fetch(source: str, reporter: Reporter) -> str:
    if not source.startswith(SCHEME):
        return source
    model = KaggleModel.parse(source)
    attached = model.attached()
    return str(attached or fetch_model(model, keras_models_folder() / "kaggle", reporter))
