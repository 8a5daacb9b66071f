"""A test set that no index knows is predicted by folds, views and runs, in the sample's form."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from kagglecxr.core.deadline import Deadline
from kagglecxr.core.errors import DataError, MissingError, SettingError
from kagglecxr.core.files import read_table
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import read_run
from kagglecxr.data.competition import Competition, load_competition
from kagglecxr.data.images.decode import read_image
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.ensembling.blend import blend_runs
from kagglecxr.inference.members import rebuild_model
from kagglecxr.inference.predict_submission import PredictedSubmission, predict_submission
from kagglecxr.inference.predictions import Predictions
from kagglecxr.inference.view_passes import predict_views
from kagglecxr.models.weights.loading import load_weights
from tests.conftest import PreparedDemo, copy_demo
from tests.ensembling.plain import PLAIN
from tests.training.run_factories import make_run

IDS = ["n2", "n0", "c1", "c0", "v0"]
SIZE = 48


class Notes(Silent):
    """Keeps the notes."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture(scope="module")
def own(demo: PreparedDemo, tmp_path_factory: pytest.TempPathFactory) -> PreparedDemo:
    return copy_demo(demo, tmp_path_factory.mktemp("unseen"))


@pytest.fixture(scope="module")
def runs(own: PreparedDemo) -> list[Path]:
    """One of two folds and one of a single fold."""
    two = own.prepared.fold % 2
    return [make_run(own, "cnn_small-2", 2, two), make_run(own, "cnn_small-1", 1, 0 * two)]


@pytest.fixture
def competition(tmp_path: Path) -> Competition:
    path = tmp_path / "lungs.toml"
    path.write_text(
        'name = "lungs"\n[source]\nkind = "competition"\n[layout]\ntest = ["test/*"]\n'
        'train = ["train/{class}/*"]\n[submission]\nid = "image"\nform = "one_column_a_class"\n'
        '[classes]\nnames = ["COVID", "Lung_Opacity", "Normal", "Viral Pneumonia"]\n'
    )
    return load_competition(path)


@pytest.fixture
def root(demo_images: Path, competition: Competition, tmp_path: Path) -> Path:
    """Five images as a test set, and a sample submission that has its columns in another order."""
    test = tmp_path / "input" / "lungs" / "test"
    test.mkdir(parents=True)
    folders = {"n": "Normal", "c": "COVID", "v": "Viral Pneumonia"}
    for name in IDS:
        images = sorted((demo_images / folders[name[0]] / "images").glob("*.png"))
        shutil.copy(images[int(name[1])], test / f"{name}.png")
    columns = ["image", *reversed(competition.targets())]
    lines = [",".join(columns), *(f"{name}.png,0.25,0.25,0.25,0.25" for name in IDS)]
    (test.parent / "sample_submission.csv").write_text("\n".join(lines) + "\n")
    return test.parent


Predict = Callable[..., PredictedSubmission]


@pytest.fixture
def predict(competition: Competition, root: Path, runs: list[Path], tmp_path: Path) -> Predict:
    def predict(**changes: object) -> PredictedSubmission:
        usual: dict[str, object] = {
            "competition": competition, "root": root, "runs": runs[1:], "reporter": Silent(),
            "path": tmp_path / "submission.csv", "scratch": tmp_path / "scratch",
        }  # fmt: skip
        return predict_submission(**usual | changes)  # type: ignore[arg-type]

    return predict


def probabilities(path: Path, competition: Competition) -> npt.NDArray[np.float64]:
    return read_table(path)[competition.targets()].to_numpy(np.float64)


def test_a_run_s_record_tells_its_pipeline(own: PreparedDemo, runs: list[Path]) -> None:
    assert read_run(runs[0]).pipeline == f"gray | resize({SIZE})"


def test_it_writes_the_mean_of_runs_folds_and_views_in_the_sample_s_form(
    predict: Predict, root: Path, runs: list[Path], competition: Competition
) -> None:
    predicted = predict(runs=runs)
    pipeline = Pipeline.parse("gray | resize", SIZE)
    images = np.stack([pipeline(read_image(root / "test" / f"{name}.png")) for name in IDS])
    of_runs = []
    for run in runs:
        record, folds = read_run(run), []
        for fold in range(record.folds):
            model = rebuild_model(record)
            load_weights(model, run / f"fold-{fold}" / "model.weights.h5")
            folds.append(
                predict_views(model, images, np.arange(len(IDS)), views=("identity", "hflip"))
            )
        of_runs.append(np.mean(folds, axis=0))
    np.testing.assert_allclose(
        probabilities(predicted.path, competition), np.mean(of_runs, axis=0), atol=1e-6
    )
    written, sample = read_table(predicted.path), read_table(root / "sample_submission.csv")
    assert list(written.columns) == list(sample.columns)
    assert list(written["image"]) == list(sample["image"])
    assert (predicted.rows, predicted.imputed, predicted.folds, predicted.of) == (5, [], 3, 3)


def test_it_agrees_with_the_ensemble_on_a_test_part_that_the_index_knows(
    predict: Predict, own: PreparedDemo, runs: list[Path], tmp_path: Path, competition: Competition
) -> None:
    blend = blend_runs(
        own.prepared, own.workspace, runs[1:], tmp_path / "submissions", Silent(), PLAIN
    )
    known = Predictions.load(blend.folder / "test.npz")
    rows = own.prepared.index.rows("test")[:7]
    root = tmp_path / "input" / "same"
    (root / "test").mkdir(parents=True)
    for path in own.prepared.index.column("path", rows):
        shutil.copy(own.prepared.root / path, root / "test")
    ids = own.prepared.index.column("id", rows)
    sample = own.prepared.competition.submission
    described = competition.model_copy(update={"submission": sample})
    (root / "sample_submission.csv").write_text(
        "id,label\n" + "".join(f"{name},Normal\n" for name in ids)
    )
    predicted = predict(competition=described, root=root)
    targets = competition.targets()
    expected = [targets[k] for k in known.of(ids).argmax(axis=1)]
    assert list(read_table(predicted.path)["label"]) == expected


def test_images_that_cannot_be_read_are_named_and_get_the_mean_of_the_others(
    predict: Predict, root: Path, competition: Competition
) -> None:
    whole = probabilities(predict().path, competition)
    (root / "test" / "n0.png").write_bytes(b"no image at all")
    cut = root / "test" / "c1.png"
    cut.write_bytes(cut.read_bytes()[:100])
    (root / "test" / "v0.png").unlink()
    (root / "test" / "extra.png").write_bytes(b"nobody asks for it")
    notes = Notes()
    predicted = predict(reporter=notes)
    assert predicted.imputed == ["n0.png", "c1.png", "v0.png"]
    assert any("3 ids" in line and "n0.png, c1.png, v0.png" in line for line in notes.lines)
    assert any("test/extra.png" in line for line in notes.lines)
    kept = [0, 3]
    now = probabilities(predicted.path, competition)
    np.testing.assert_allclose(now[kept], whole[kept], atol=1e-6)
    np.testing.assert_allclose(now[[1, 2, 4]], [whole[kept].mean(axis=0)] * 3, atol=1e-6)


def test_folds_that_there_is_no_time_for_are_left_out_but_never_the_first(
    predict: Predict, runs: list[Path]
) -> None:
    notes = Notes()
    predicted = predict(runs=runs, deadline=Deadline.within(-5.0), reporter=notes)
    assert (predicted.folds, predicted.of) == (1, 3)
    assert notes.lines == ["Out of time: 1 of 3 folds have predicted."]


def test_another_test_part_in_the_same_place_is_decoded_anew(
    predict: Predict, root: Path, competition: Competition, tmp_path: Path
) -> None:
    before = probabilities(predict().path, competition)
    shutil.copy(root / "test" / "n2.png", root / "test" / "v0.png")
    after = probabilities(predict().path, competition)
    fresh = probabilities(predict(scratch=tmp_path / "fresh").path, competition)
    np.testing.assert_array_equal(after, fresh)
    np.testing.assert_array_equal(after[:4], before[:4])
    # Not to the last bit: the sums of a batch's rows are not all added in one order.
    np.testing.assert_allclose(after[4], before[0], atol=1e-7)
    assert np.abs(after[4] - before[4]).max() > 1e-5


def test_what_cannot_predict_is_refused(
    predict: Predict, root: Path, runs: list[Path], competition: Competition, tmp_path: Path
) -> None:
    with pytest.raises(MissingError, match="no finished run"):
        predict(runs=[])
    other = tmp_path / "run"
    shutil.copytree(runs[1], other)
    record = read_run(other)
    for change, error, message in (
        ({"targets": ["a", "b"]}, DataError, "other targets"),
        ({"pipeline": ""}, SettingError, "older"),
        ({"pipeline": "gray | mask | resize"}, SettingError, "lung masks"),
    ):
        dataclasses.replace(record, **change).write(other)  # type: ignore[arg-type]
        with pytest.raises(error, match=message):
            predict(runs=[other])
    dataclasses.replace(record, pipeline="").write(other)
    assert predict(runs=[other], pipeline="gray | resize").folds == 1
    (tmp_path / "submission.csv").unlink()
    (other / "fold-0" / "model.weights.h5").unlink()
    with pytest.raises(MissingError, match=r"fold-0.model\.weights\.h5"):
        predict(runs=[other], pipeline="gray | resize")
    for image in (root / "test").iterdir():
        image.write_bytes(b"")
    with pytest.raises(DataError, match="No test image can be read"):
        predict()
    (root / "sample_submission.csv").write_text("image,label\nn0,x\n")
    with pytest.raises(DataError, match=r"image, label; wanted image"):
        predict()
    assert not (tmp_path / "submission.csv").exists()
