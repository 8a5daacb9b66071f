"""A soup is a run as any other, of the runs that helped, and each fold has seen its folds alone."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from kagglecxr.core.errors import DataError, LeakError, SettingError
from kagglecxr.core.files import read_json
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import WEIGHTS, fold_folder, read_run
from kagglecxr.ensembling.blend import blend_runs
from kagglecxr.ensembling.run_selection import choose_runs
from kagglecxr.inference.members import rebuild_model
from kagglecxr.inference.predictions import PLAIN_VIEW, Predictions
from kagglecxr.inference.view_passes import predict_views
from kagglecxr.reports.comparison import compare_runs
from kagglecxr.training.recipe import make_recipe
from kagglecxr.training.run import train_run
from kagglecxr.training.run_results import SOURCE_RUNS
from kagglecxr.training.run_spec import RunSpec
from kagglecxr.training.soups.soup import make_soup
from kagglecxr.training.task import Outputs
from tests.conftest import FOLDS, PreparedDemo, prepare_demo
from tests.ensembling.plain import PLAIN
from tests.training.run_factories import TINY, fold_data, make_run


@pytest.fixture(scope="module")
def own(demo_images: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedDemo:
    return prepare_demo(demo_images, tmp_path_factory.mktemp("soup"))


@pytest.fixture(scope="module")
def runs(own: PreparedDemo) -> list[Path]:
    """Two runs whose scores are so bad that no soup of them can be worse."""
    return [make_run(own, f"made-{seed}", seed, wrong=True) for seed in (1, 2)]


class Scripted:
    """Means of runs whose out-of-fold predictions are right for a given share of the images."""

    right: dict[frozenset[str], float]

    def __init__(self, soup: RunSpec, runs: object) -> None:
        self.soup, self.truth = soup, soup.prepared.target_ids()

    def predict(self, runs: Sequence[Path], fold: int) -> dict[str, Outputs]:
        share = self.right[frozenset(run.name for run in runs)]
        truth = self.truth[self.soup.fold_of == fold]
        wrong = (truth + 1) % 4
        decided = np.where(np.arange(len(truth)) < share * len(truth), truth, wrong)
        return {PLAIN_VIEW: np.eye(4, dtype=np.float32)[decided]}


def with_scores(runs: Sequence[Path], folder: Path, scores: Sequence[float]) -> list[Path]:
    """Copies of a run's record and folds under other names, with other scores."""
    made = []
    for letter, score in zip("abc", scores, strict=False):
        place = folder / letter
        place.mkdir()
        (place / "folds.csv").write_bytes((runs[0] / "folds.csv").read_bytes())
        metrics = {"oof_balanced_accuracy": score}
        dataclasses.replace(read_run(runs[0]), name=letter, metrics=metrics).write(place)
        made.append(place)
    return made


@pytest.mark.parametrize(
    ("right", "kept"),
    [
        ({"b": 0.5, "ba": 0.9, "bac": 0.95}, "bac"),
        ({"b": 0.5, "ba": 0.2, "bc": 0.9}, "bc"),
        ({"b": 0.5, "ba": 0.9, "bac": 0.3}, "ba"),
        ({"b": 0.5, "ba": 0.1, "bc": 0.1}, "b"),
        ({"b": 1.0, "ba": 0.9, "bc": 0.9}, "b"),
    ],
)
def test_runs_are_tried_best_first_and_stay_where_the_score_does_not_fall(
    own: PreparedDemo,
    runs: list[Path],
    tmp_path: Path,
    right: dict[str, float],
    kept: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    members = with_scores(runs, tmp_path, [0.5, 0.6, 0.4])
    chosen: list[list[str]] = []
    monkeypatch.setattr(
        Scripted, "right", {frozenset(k): v for k, v in right.items()}, raising=False
    )
    monkeypatch.setattr("kagglecxr.training.soups.soup.AveragedFold", Scripted)
    monkeypatch.setattr(
        "kagglecxr.training.soups.soup._write",
        lambda *parts: chosen.append([run.name for run in parts[-1]]),
    )
    made = make_soup(own.prepared, own.workspace, members, Silent())
    if kept == "b":
        assert made == members[1]
        assert (chosen, made.parent) == ([], tmp_path)
    else:
        assert chosen == [list(kept)]


@pytest.fixture(scope="module")
def soup(own: PreparedDemo, runs: list[Path]) -> Path:
    return make_soup(own.prepared, own.workspace, runs, Silent())


def test_a_soup_says_what_it_is_made_of(soup: Path, runs: list[Path], own: PreparedDemo) -> None:
    record = read_run(soup)
    assert soup.parent == own.workspace.runs
    assert soup.name == record.name
    assert soup.name.startswith("soup-")
    assert sorted(record.data[SOURCE_RUNS].split()) == sorted(run.name for run in runs)
    assert read_json(soup / "recipe.json")[SOURCE_RUNS] == record.data[SOURCE_RUNS].split()
    assert record.seconds == [30.0, 32.0, 34.0]
    assert record.folds == FOLDS


def test_a_fold_is_the_mean_of_the_same_fold_of_its_runs(soup: Path, runs: list[Path]) -> None:
    model = rebuild_model(read_run(soup))

    def kernel(run: Path, fold: int) -> np.ndarray:
        model.load_weights(fold_folder(run, fold) / WEIGHTS)
        return np.array(model.get_layer("block4_2_conv").kernel)

    for fold in range(FOLDS):
        mean = np.mean([kernel(run, fold) for run in runs], axis=0)
        np.testing.assert_allclose(kernel(soup, fold), mean, atol=1e-7)
    assert not np.allclose(kernel(soup, 0), kernel(soup, 1), atol=1e-3)


def test_its_out_of_fold_predictions_are_those_of_its_own_weights(
    soup: Path, own: PreparedDemo
) -> None:
    record = read_run(soup)
    oof = Predictions.load(soup / "oof.npz")
    model = rebuild_model(record)
    model.load_weights(fold_folder(soup, 1) / WEIGHTS)
    data = fold_data(own, 1)
    recipe = make_recipe(record.recipe)
    inputs = data.fit_inputs(model, recipe, 0)
    again = data.predictions({view: inputs.predict([view]) for view in recipe.views}).predictions
    np.testing.assert_allclose(oof.of(again.ids.tolist()), again.probabilities, atol=1e-6)
    assert sorted(oof.ids.tolist()) == sorted(
        own.prepared.index.column("id", own.prepared.index.rows("train"))
    )


def test_other_verbs_take_it_as_a_run(
    soup: Path, runs: list[Path], own: PreparedDemo, tmp_path: Path
) -> None:
    chosen = choose_runs(own.prepared, own.workspace, [soup.name, runs[0].name])
    blend = blend_runs(own.prepared, own.workspace, chosen, tmp_path, Silent(), PLAIN)
    assert blend.record.runs == [soup.name, runs[0].name]
    assert choose_runs(own.prepared, own.workspace, [soup.name]) == [soup]
    ledger = tmp_path / "ledger.csv"
    compared = compare_runs(own.competition, own.workspace, ledger, Silent())
    assert soup.name in compared.table.columns


def test_a_soup_is_made_once(soup: Path, runs: list[Path], own: PreparedDemo) -> None:
    before = (soup / "run.json").stat().st_mtime_ns
    assert make_soup(own.prepared, own.workspace, runs[::-1], Silent()) == soup
    assert (soup / "run.json").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"model": "cnn_plain"}, "with model cnn_plain, "),
        ({"data": {"folds": "others"}}, "with folds others"),
        ({"recipe": {"model_options": {"width": 8}}}, "model options {'width': 8}"),
    ],
)
def test_runs_that_cannot_be_averaged_are_refused(
    runs: list[Path], own: PreparedDemo, tmp_path: Path, changed: dict[str, object], message: str
) -> None:
    record = read_run(runs[0])
    values = {
        key: {**getattr(record, key), **value} if isinstance(value, dict) else value
        for key, value in changed.items()
    }
    metrics = {**record.metrics, "oof_balanced_accuracy": -1.0}
    dataclasses.replace(record, name="odd", metrics=metrics, **values).write(tmp_path)
    with pytest.raises(SettingError, match=f"Received: odd .*{message}"):
        make_soup(own.prepared, own.workspace, [tmp_path, runs[0]], Silent())


def test_a_run_without_a_score_is_refused(
    runs: list[Path], own: PreparedDemo, tmp_path: Path
) -> None:
    dataclasses.replace(read_run(runs[0]), name="odd", metrics={}).write(tmp_path)
    with pytest.raises(SettingError, match="Received: odd"):
        make_soup(own.prepared, own.workspace, [runs[0], tmp_path], Silent())


@pytest.fixture(scope="module")
def demo(demo_images: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedDemo:
    return prepare_demo(demo_images, tmp_path_factory.mktemp("folds"))


@pytest.fixture(scope="module")
def run(demo: PreparedDemo) -> Path:
    return make_run(demo, "made", 1, wrong=True)


@pytest.fixture(scope="module")
def fold_soup(demo: PreparedDemo, run: Path) -> Path:
    return make_soup(demo.prepared, demo.workspace, [run], Silent())


def test_it_is_one_network_of_the_mean_weights(fold_soup: Path, run: Path) -> None:
    record = read_run(fold_soup)
    assert (record.folds, record.seconds) == (1, [33.0])
    assert record.data[SOURCE_RUNS] == run.name
    model = rebuild_model(record)
    kernels = []
    for folder, folds in ((run, FOLDS), (fold_soup, 1)):
        for fold in range(folds):
            model.load_weights(fold_folder(folder, fold) / WEIGHTS)
            kernels.append(np.array(model.get_layer("block4_2_conv").kernel))
    np.testing.assert_allclose(kernels[-1], np.mean(kernels[:-1], axis=0), atol=1e-7)


def test_it_has_no_score_and_is_never_chosen_by_one(
    fold_soup: Path, run: Path, demo: PreparedDemo
) -> None:
    assert read_run(fold_soup).metrics == {}
    assert not (fold_soup / "oof.npz").exists()
    assert choose_runs(demo.prepared, demo.workspace, []) == [run]
    with pytest.raises(SettingError, match=f"Received: {fold_soup.name}"):
        make_soup(demo.prepared, demo.workspace, [run, fold_soup], Silent())


def test_it_predicts_the_test_set(
    fold_soup: Path, run: Path, demo: PreparedDemo, tmp_path: Path
) -> None:
    blend = blend_runs(demo.prepared, demo.workspace, [fold_soup], tmp_path, Silent(), PLAIN)
    assert blend.record.out_of_fold is None
    assert read_json(blend.folder / "blend.json")["out_of_fold"] is None
    model = rebuild_model(read_run(fold_soup))
    model.load_weights(fold_folder(fold_soup, 0) / WEIGHTS)
    rows = demo.prepared.index.rows("test")
    seen = predict_views(model, demo.prepared.cache.images, rows)
    kept = Predictions.load(blend.folder / "test.npz")
    np.testing.assert_allclose(kept.probabilities, seen, atol=1e-6)
    both = blend_runs(demo.prepared, demo.workspace, [run, fold_soup], tmp_path, Silent(), PLAIN)
    assert both.record.out_of_fold is None
    assert not (both.folder / "oof.npz").exists()


def test_with_views_it_needs_no_out_of_fold_predictions(
    fold_soup: Path, demo: PreparedDemo, tmp_path: Path
) -> None:
    options = dataclasses.replace(PLAIN, views="none")
    blend = blend_runs(demo.prepared, demo.workspace, [fold_soup], tmp_path, Silent(), options)
    assert blend.record.views == ["identity"]
    model = rebuild_model(read_run(fold_soup))
    model.load_weights(fold_folder(fold_soup, 0) / WEIGHTS)
    rows = demo.prepared.index.rows("test")
    seen = predict_views(model, demo.prepared.cache.images, rows, views=["identity"])
    kept = Predictions.load(blend.folder / "test.npz")
    np.testing.assert_allclose(kept.probabilities, seen, atol=1e-6)
    for more in ({"views": "auto"}, {"blend": "stacking"}, {"calibrate": "vector"}):
        options = dataclasses.replace(PLAIN, **more)
        with pytest.raises(SettingError, match="has seen all training images"):
            blend_runs(demo.prepared, demo.workspace, [fold_soup], tmp_path, Silent(), options)


def test_one_of_another_index_may_have_seen_test_images(
    fold_soup: Path, demo: PreparedDemo, tmp_path: Path
) -> None:
    record = read_run(fold_soup)
    other = tmp_path / fold_soup.name
    dataclasses.replace(record, data=record.data | {"index": "another"}).write(other)
    with pytest.raises(DataError, match=f"test images now. Received: {fold_soup.name}"):
        blend_runs(demo.prepared, demo.workspace, [other], tmp_path, Silent(), PLAIN)


def test_export_and_compare_take_it(fold_soup: Path, demo: PreparedDemo, tmp_path: Path) -> None:
    assert choose_runs(demo.prepared, demo.workspace, [fold_soup.name]) == [fold_soup]
    ledger = tmp_path / "ledger.csv"
    table = compare_runs(demo.competition, demo.workspace, ledger, Silent()).table.set_index("")
    assert table.loc["Out-of-fold accuracy", fold_soup.name] == ""


def test_no_training_on_the_same_images_starts_from_it(fold_soup: Path, demo: PreparedDemo) -> None:
    recipe = make_recipe({}, [*TINY, f'weights="{fold_soup}"'])
    with pytest.raises(LeakError, match="has learned from images that are held out here"):
        train_run(demo.prepared, demo.workspace, recipe, Silent())


def test_one_network_is_no_soup(fold_soup: Path, demo: PreparedDemo) -> None:
    with pytest.raises(SettingError, match=f"{fold_soup.name} alone"):
        make_soup(demo.prepared, demo.workspace, [fold_soup], Silent())
