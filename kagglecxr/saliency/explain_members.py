"""Maps of several images by the folds of runs that did not learn from them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import SettingError
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import held_out_folds, segments
from kagglecxr.core.seeding import generator
from kagglecxr.inference.members import Member
from kagglecxr.saliency.backend import Array
from kagglecxr.saliency.explained_model import ExplainedModel, Targets
from kagglecxr.saliency.methods import SaliencyMethod


@dataclass(frozen=True)
class ImagesToExplain:
    """Images with the class that each map is for.

    Attributes:
        ids: (N,) of the index.
        images: (N, H, W, C) uint8 as the runs' models take them.
        targets: (N,) numbers of classes.
    """

    ids: Sequence[str]
    images: npt.NDArray[np.uint8]
    targets: Targets


def load_explained(member: Member, fold: int) -> ExplainedModel:
    """Builds the model of a fold for its explanation."""
    return ExplainedModel(member.load_model(fold))


def explain_members(
    members: Sequence[Member],
    explained: ImagesToExplain,
    methods: Mapping[str, SaliencyMethod],
    seed: int,
    reporter: Reporter,
    load: Callable[[Member, int], ExplainedModel] = load_explained,
) -> dict[str, Array]:
    """Returns the mean map of each image over runs, by method.

    An image that a run learned from is explained by the fold that held it out alone, as it is
    predicted out of fold; any other by the mean of all folds. A method that does not hold for the
    network of a run is left out, with a note that names those that do.

    Args:
        members: the runs.
        explained: the images.
        methods: by name.
        seed: of the methods that draw.
        reporter: shows the progress.
        load: returns the model of a fold, which may be one that was kept.

    Raises:
        SettingError: no method holds for these networks.
        DataError, MissingError: a run is damaged.
    """
    images = explained.images.astype(np.float32)
    totals = {name: np.zeros(images.shape[:3], np.float64) for name in methods}
    steps = sum(len(member.folds) for member in members) * len(methods)
    with reporter.bar("Explaining", steps) as bar:
        for member in members:
            weights = _fold_weights(member, explained.ids)
            for column, fold in enumerate(member.folds):
                wanted = np.flatnonzero(weights[:, column])
                model = load(member, fold) if len(wanted) else None
                for name, method in methods.items():
                    bar.advance()
                    if model is None or name not in totals:
                        continue
                    random = generator(seed, "saliency", name)
                    try:
                        maps = method.maps(model, images[wanted], explained.targets[wanted], random)
                    except SettingError as error:
                        reporter.note(
                            f"{name}, which is of {method.holds_for}, is left out: {error}"
                        )
                        del totals[name]
                        continue
                    totals[name][wanted] += weights[wanted, column, None, None] * maps
    if not totals:
        raise SettingError(
            f"None of the methods holds for this network. Received: {', '.join(methods)}. Use "
            "gradcam, integrated_gradients or occlusion, which hold for any."
        )
    return {name: (total / len(members)).astype(np.float32) for name, total in totals.items()}


def check_classifiers(runs: Sequence[Path]) -> None:
    """Refuses runs that learned masks.

    Raises:
        SettingError: there is one.
    """
    masks = [run.name for run in runs if segments(run)]
    if masks:
        raise SettingError(
            f"A run of lung masks has no classes to explain. Received: {', '.join(masks)}. Name a "
            "run of train."
        )


def check_held_out(members: Sequence[Member]) -> None:
    """Refuses runs that held no image out, as the mean of a run's folds.

    Raises:
        SettingError: there is one.
    """
    for member in members:
        if not any(name.startswith("oof_") for name in member.record.metrics):
            raise SettingError(
                f"A run has seen all training images. Received: {member.record.name}, the mean of "
                "a run's folds. Name the runs that it is made of."
            )


def _fold_weights(member: Member, ids: Sequence[str]) -> npt.NDArray[np.float64]:
    """(images, folds) how much each fold says of an image; each line has the sum 1."""
    fold_of = held_out_folds(member.run)
    every = np.array(list(member.folds))
    weights = [
        every == fold_of[name] if fold_of.get(name) in every else np.ones(len(every))
        for name in ids
    ]
    table = np.array(weights, np.float64)
    return np.asarray(table / table.sum(axis=1, keepdims=True))
