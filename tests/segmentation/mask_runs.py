"""Finished runs of masks, whose folds predict one probability everywhere."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from kagglecxr.core.files import write_table
from kagglecxr.core.run_record import OOF, WEIGHTS, RunRecord, fold_folder
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.index import write_folds
from kagglecxr.data.masked import MaskedData
from kagglecxr.models import create_model
from kagglecxr.models.weights.hdf5 import save_weights
from kagglecxr.training.held_out_masks import HeldOutMasks, Maps
from kagglecxr.training.recipe import make_recipe

MASKS = {"model": "unet_small", "loss": "dice", "segmentation": {"size": 32}}


def mask_run(
    data: MaskedData,
    workspace: Workspace,
    name: str,
    probabilities: Sequence[float],
    out_of_fold: Maps | None = None,
) -> Path:
    """Writes a run, a fold for each probability; out of fold it is right if nothing else is said.

    Args:
        data: what it learned from, in as many folds.
        workspace: its runs take it.
        name: the run's.
        probabilities: of all pixels of any image, of each fold.
        out_of_fold: (N, H, W) probabilities in 255ths.
    """
    recipe, run = make_recipe(MASKS), workspace.runs / name
    record = RunRecord(
        name=name,
        competition="demo",
        model=recipe.model,
        recipe=recipe.model_dump(mode="json"),
        seed=0,
        folds=len(probabilities),
        targets=["lungs"],
        input_shape=(32, 32, 1),
        data={"cache": data.cache.key},
        parameters={},
        megabytes=0.1,
        versions={},
        machine={},
        seconds=[1.0] * len(probabilities),
        metrics={"oof_iou": 0.9},
        pipeline="gray | resize(32)",
    )
    model = shared_model()
    logits = model.get_layer("logits")
    rising = {name: [0.4, 0.5] for name in ("loss", "accuracy", "iou")}
    epochs = {"epoch": [1, 2], **rising, **{f"val_{name}": both for name, both in rising.items()}}
    for fold, probability in enumerate(probabilities):
        odds = np.log(probability / (1 - probability))
        logits.set_weights([np.zeros(logits.kernel.shape), np.array([odds])])
        save_weights(model, fold_folder(run, fold) / WEIGHTS)
        write_table(fold_folder(run, fold) / "history.csv", pd.DataFrame(epochs))
    write_folds(run / "folds.csv", data.index.ids, data.fold)
    maps = np.asarray(data.masks) if out_of_fold is None else out_of_fold
    views = {"identity": maps, "hflip": maps}
    HeldOutMasks(np.array(data.index.ids), np.asarray(data.masks), views).save(run / OOF)
    record.write(run)
    return run


@functools.cache
def shared_model() -> keras.Model:
    """The model of these runs, with the weights that it was given last: to build one is slow."""
    keras.utils.set_random_seed(0)
    return create_model("unet_small", num_classes=1, input_shape=(32, 32, 1))


def predict_without_models(patch: pytest.MonkeyPatch) -> None:
    """Has a `Segmenter` predict what the weights say, with no model built and no graph traced."""
    patch.setattr("kagglecxr.inference.members.rebuild_model", lambda _: shared_model())
    patch.setattr("kagglecxr.segmentation.segmenter.compiled_function", constant_function)


def constant_function(model: keras.Model) -> Callable[[Maps], npt.NDArray[np.float32]]:
    """What `compiled_function` returns for a model of `mask_run`, without a graph."""
    odds = float(model.get_layer("logits").get_weights()[1][0])
    probability = np.float32(1 / (1 + np.exp(-odds)))
    return lambda images: np.full((*images.shape[:3], 1), probability)
