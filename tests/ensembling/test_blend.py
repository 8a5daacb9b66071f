"""Blends are means of folds and runs, and leave a submission in the sample's form."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from kagglecxr.core.errors import CxrError, DataError, MissingError
from kagglecxr.core.files import read_table
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import read_run
from kagglecxr.data.cache.cache import Cache
from kagglecxr.data.index import Index
from kagglecxr.ensembling.blend import blend_runs
from kagglecxr.inference.members import rebuild_model
from kagglecxr.inference.predictions import Predictions
from kagglecxr.inference.view_passes import predict_views
from tests.conftest import PreparedDemo, copy_demo
from tests.ensembling.plain import PLAIN
from tests.training.run_factories import make_run


@pytest.fixture(scope="module")
def own(demo: PreparedDemo, tmp_path_factory: pytest.TempPathFactory) -> PreparedDemo:
    return copy_demo(demo, tmp_path_factory.mktemp("ensemble"))


@pytest.fixture(scope="module")
def runs(own: PreparedDemo) -> list[Path]:
    return [make_run(own, f"cnn_small-{seed}", seed) for seed in (0, 1)]


def test_a_run_predicts_with_the_mean_of_its_folds(
    own: PreparedDemo, runs: list[Path], tmp_path: Path
) -> None:
    blend = blend_runs(own.prepared, own.workspace, runs[:1], tmp_path, Silent(), PLAIN)
    record = read_run(runs[0])
    model = rebuild_model(record)
    rows = own.prepared.index.rows("test")
    folds = []
    for fold in range(record.folds):
        model.load_weights(runs[0] / f"fold-{fold}" / "model.weights.h5")
        folds.append(predict_views(model, own.prepared.cache.images, rows))
    kept = Predictions.load(blend.folder / "test.npz")
    np.testing.assert_allclose(kept.probabilities, np.mean(folds, axis=0), atol=1e-6)
    assert blend.record.out_of_fold == pytest.approx(record.metrics["oof_balanced_accuracy"])


def test_two_runs_are_averaged_out_of_fold_and_on_the_test_set(
    own: PreparedDemo, runs: list[Path], tmp_path: Path
) -> None:
    blend = blend_runs(own.prepared, own.workspace, runs, tmp_path, Silent(), PLAIN)
    for file in ("oof.npz", "test.npz"):
        kept = Predictions.load(blend.folder / file)
        parts = [Predictions.load(run / file).of(kept.ids.tolist()) for run in runs]
        np.testing.assert_allclose(kept.probabilities, np.mean(parts, axis=0), atol=1e-6)
    oof = Predictions.load(blend.folder / "oof.npz")
    np.testing.assert_array_equal(oof.truth, own.prepared.target_ids())


def test_the_submission_has_the_sample_s_form_and_says_the_likeliest(
    own: PreparedDemo, runs: list[Path], tmp_path: Path
) -> None:
    blend = blend_runs(own.prepared, own.workspace, runs[:1], tmp_path, Silent(), PLAIN)
    assert blend.submission == tmp_path / f"demo-{runs[0].name}.csv"
    submission = read_table(blend.submission)
    sample = read_table(own.workspace.sample_submission)
    assert list(submission.columns) == list(sample.columns)
    assert submission["id"].tolist() == sample["id"].tolist()
    kept = Predictions.load(blend.folder / "test.npz").of(sample["id"].tolist())
    targets = own.prepared.competition.targets()
    assert submission["label"].tolist() == [targets[k] for k in kept.argmax(axis=1)]


def test_predicting_again_gives_the_same_bytes(
    own: PreparedDemo, runs: list[Path], tmp_path: Path
) -> None:
    first = blend_runs(own.prepared, own.workspace, runs, tmp_path, Silent(), PLAIN)
    before = first.submission.read_bytes()
    (runs[0] / "test.npz").unlink()
    blend_runs(own.prepared, own.workspace, runs, tmp_path, Silent(), PLAIN)
    assert first.submission.read_bytes() == before


def test_a_set_of_views_is_for_the_test_set_what_it_is_out_of_fold(
    own: PreparedDemo, runs: list[Path], tmp_path: Path
) -> None:
    options = dataclasses.replace(PLAIN, views="none")
    blend = blend_runs(own.prepared, own.workspace, runs[:1], tmp_path, Silent(), options)
    assert (blend.name, blend.record.views) == (f"{runs[0].name}_none", ["identity"])
    assert blend.lines[-2].startswith("Views: none (identity)")
    images, index = own.prepared.cache.images, own.prepared.index
    predicted, held_out = [], np.zeros((len(own.prepared.fold), 4))
    model = rebuild_model(read_run(runs[0]))
    for fold in range(read_run(runs[0]).folds):
        model.load_weights(runs[0] / f"fold-{fold}" / "model.weights.h5")
        predicted.append(predict_views(model, images, index.rows("test"), views=["identity"]))
        own_images = own.prepared.fold == fold
        rows = index.rows("train")[own_images]
        held_out[own_images] = predict_views(model, images, rows, views=["identity"])
    kept = Predictions.load(blend.folder / "test.npz")
    np.testing.assert_allclose(kept.probabilities, np.mean(predicted, axis=0), atol=1e-5)
    oof = Predictions.load(blend.folder / "oof.npz")
    np.testing.assert_allclose(oof.probabilities, held_out, atol=1e-5)


def test_what_views_gain_is_said_before_they_are_used(
    own: PreparedDemo, runs: list[Path], tmp_path: Path
) -> None:
    copied = copy_demo(own, tmp_path)
    run = copied.workspace.runs / "views"
    shutil.copytree(runs[0], run)
    oof = Predictions.load(run / "oof.npz")
    wrong = np.roll(np.eye(4, dtype=np.float32)[oof.truth], 1, axis=1)
    by_view = {"identity": wrong, "hflip": oof.probabilities}
    dataclasses.replace(oof, by_view=by_view).save(run / "oof.npz")
    blend = blend_runs(own.prepared, copied.workspace, [run], tmp_path, Silent(), PLAIN)
    said = "The mean of the views identity, hflip is better than the image as it is by "
    assert blend.lines[0].startswith(said)
    assert "more than luck" in blend.lines[0]


def test_a_run_that_misses_the_weights_of_a_fold_is_refused(
    own: PreparedDemo, runs: list[Path], tmp_path: Path
) -> None:
    run = tmp_path / "runs" / runs[0].name
    shutil.copytree(runs[0], run, ignore=shutil.ignore_patterns("test*.npz"))
    (run / "fold-1" / "model.weights.h5").unlink()
    with pytest.raises(CxrError, match=r"Received: .*fold-1"):
        blend_runs(own.prepared, own.workspace, [run], tmp_path, Silent(), PLAIN)


def test_a_run_of_other_images_is_refused(
    own: PreparedDemo, runs: list[Path], tmp_path: Path
) -> None:
    cache = own.prepared.cache
    other = Cache(cache.folder.with_name("0123456789ab"), cache.images, cache.measures)
    with pytest.raises(DataError, match="0123456789ab"):
        blend_runs(
            dataclasses.replace(own.prepared, cache=other),
            own.workspace,
            runs,
            tmp_path,
            Silent(),
            PLAIN,
        )


def test_without_a_test_part_there_is_nothing_to_predict(
    own: PreparedDemo, runs: list[Path], tmp_path: Path
) -> None:
    table = own.prepared.index.table
    train_only = Index(table[table["split"] == "train"])
    with pytest.raises(MissingError, match=r"--test=0\.2 "):
        blend_runs(
            dataclasses.replace(own.prepared, index=train_only),
            own.workspace, runs, tmp_path, Silent(), PLAIN,
        )  # fmt: skip
