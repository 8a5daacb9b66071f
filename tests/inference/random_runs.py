"""Finished runs with random weights and decided predictions: no training is that fast."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kagglecxr.core.run_record import NOVELTY, RunRecord, fold_folder
from kagglecxr.inference.members import member_for_files, rebuild_model
from kagglecxr.inference.novelty import write_threshold
from kagglecxr.training.fold_data import FoldData
from kagglecxr.training.fold_novelty import learn_novelty
from kagglecxr.training.tasks import make_task
from tests.conftest import SIZE, PreparedDemo


def random_run(
    own: PreparedDemo,
    name: str,
    score: float = 0.5,
    *,
    views: Sequence[str] = ("identity", "hflip"),
    seed: int = 0,
    folds: int = 2,
    trainable: str = "all",
) -> Path:
    """Writes a run; if it is not trained whole, all folds have the frozen weights of seed 0."""
    recipe: dict[str, Any] = {"model_options": {"width": 4}, "views": list(views)}
    record = RunRecord(
        name=name,
        competition="demo",
        model="cnn_small",
        recipe={**recipe, "trainable": trainable},
        seed=seed,
        folds=folds,
        targets=own.prepared.competition.targets(),
        input_shape=(SIZE, SIZE, 1),
        data={"cache": own.prepared.cache.key},
        parameters={},
        megabytes=0.1,
        versions={},
        machine={},
        seconds=[],
        metrics={"oof_balanced_accuracy": score},
        pipeline=own.prepared.pipeline_text,
    )
    folder = own.workspace.runs / name
    for fold in range(folds):
        keras.utils.set_random_seed(10 * seed + fold if trainable == "all" else 0)
        model = rebuild_model(record)
        logits = model.get_layer("logits")
        kernel = keras.ops.convert_to_numpy(logits.kernel)
        logits.kernel.assign(30 * np.random.default_rng(10 * seed + fold).permuted(kernel))
        (folder / f"fold-{fold}").mkdir(parents=True)
        model.save_weights(folder / f"fold-{fold}" / "model.weights.h5")
    record.write(folder)
    return folder


def add_novelty(own: PreparedDemo, run: Path) -> None:
    """Writes what training would have: which images are unlike those that the run was made for."""
    member = member_for_files(run)
    for fold in member.folds:
        data = FoldData(make_task(own.prepared), own.prepared.fold, fold)
        learned = learn_novelty(member.load_model(fold), data, np.random.default_rng(0))
        learned.save(fold_folder(run, fold) / NOVELTY)
    write_threshold(run, len(member.folds))
