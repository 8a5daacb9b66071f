"""The mean of a run's folds is one network, and nowhere has an out-of-fold score."""

from pathlib import Path

import numpy as np
import pytest

from kagglecxr.core.errors import LeakError, SettingError
from kagglecxr.core.files import read_json
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import WEIGHTS, fold_folder, read_run
from kagglecxr.ensembling.blend import blend_runs
from kagglecxr.ensembling.run_selection import choose_runs
from kagglecxr.inference.members import rebuild_model
from kagglecxr.inference.predictions import Predictions
from kagglecxr.inference.predictor import predict_views
from kagglecxr.reports.comparison import compare_runs
from kagglecxr.training.recipe import make_recipe
from kagglecxr.training.run import train_run
from kagglecxr.training.run_results import SOURCE_RUNS
from kagglecxr.training.soups.greedy_soup import make_soup
from tests.conftest import FOLDS, PreparedDemo, prepare_demo
from tests.training.run_factories import TINY, make_run


@pytest.fixture(scope="module")
def own(demo_images: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedDemo:
    return prepare_demo(demo_images, tmp_path_factory.mktemp("folds"))


@pytest.fixture(scope="module")
def run(own: PreparedDemo) -> Path:
    return make_run(own, "made", 1, wrong=True)


@pytest.fixture(scope="module")
def soup(own: PreparedDemo, run: Path) -> Path:
    return make_soup(own.prepared, own.workspace, [run], Silent())


def test_it_is_one_network_of_the_mean_weights(soup: Path, run: Path) -> None:
    record = read_run(soup)
    assert (record.folds, record.seconds) == (1, [33.0])
    assert record.data[SOURCE_RUNS] == run.name
    model = rebuild_model(record)
    kernels = []
    for folder, folds in ((run, FOLDS), (soup, 1)):
        for fold in range(folds):
            model.load_weights(fold_folder(folder, fold) / WEIGHTS)
            kernels.append(np.array(model.get_layer("block4_2_conv").kernel))
    np.testing.assert_allclose(kernels[-1], np.mean(kernels[:-1], axis=0), atol=1e-7)


def test_it_has_no_score_and_is_never_chosen_by_one(
    soup: Path, run: Path, own: PreparedDemo
) -> None:
    assert read_run(soup).metrics == {}
    assert not (soup / "oof.npz").exists()
    assert choose_runs(own.prepared, own.workspace, []) == [run]
    with pytest.raises(SettingError, match=f"Received: {soup.name}"):
        make_soup(own.prepared, own.workspace, [run, soup], Silent())


def test_it_predicts_the_test_part(
    soup: Path, run: Path, own: PreparedDemo, tmp_path: Path
) -> None:
    blend = blend_runs(own.prepared, own.workspace, [soup], tmp_path, Silent())
    assert blend.score is None
    assert read_json(blend.folder / "blend.json")["out_of_fold"] is None
    model = rebuild_model(read_run(soup))
    model.load_weights(fold_folder(soup, 0) / WEIGHTS)
    rows = own.prepared.index.rows("test")
    seen = predict_views(model, own.prepared.cache.images, rows)
    kept = Predictions.load(blend.folder / "test.npz")
    np.testing.assert_allclose(kept.probabilities, seen, atol=1e-6)
    both = blend_runs(own.prepared, own.workspace, [run, soup], tmp_path, Silent())
    assert both.score is None
    assert not (both.folder / "oof.npz").exists()


def test_export_and_compare_take_it(soup: Path, own: PreparedDemo, tmp_path: Path) -> None:
    assert choose_runs(own.prepared, own.workspace, [soup.name]) == [soup]
    table = compare_runs(own.workspace, tmp_path / "ledger.csv").set_index("")
    assert table.loc["Out-of-fold accuracy", soup.name] == ""


def test_no_training_on_the_same_images_starts_from_it(soup: Path, own: PreparedDemo) -> None:
    recipe = make_recipe({}, [*TINY, f'weights="{soup}"'])
    with pytest.raises(LeakError, match="has learned from images that are held out here"):
        train_run(own.prepared, own.workspace, recipe, Silent())


def test_one_network_is_no_soup(soup: Path, own: PreparedDemo) -> None:
    with pytest.raises(SettingError, match=f"{soup.name} alone"):
        make_soup(own.prepared, own.workspace, [soup], Silent())
