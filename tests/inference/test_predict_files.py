"""Image files of any kind are predicted by runs and by exported files alike."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from kagglecxr.core.errors import DataError
from kagglecxr.core.progress import Silent
from kagglecxr.data.images.decode import read_image
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.inference import raw_images
from kagglecxr.inference.export.exported_model import ExportedModel
from kagglecxr.inference.members import member_for_files
from kagglecxr.inference.predict_files import (
    FilePredictions,
    predict_with_export,
    predict_with_runs,
)
from kagglecxr.inference.predictor import Predictor
from tests.conftest import SIZE, PreparedDemo, copy_demo
from tests.data.images.test_dicom import dataset, written
from tests.inference.random_runs import random_run

CLASSES = ["a", "b"]


class Notes(Silent):
    """Keeps the notes and how far each bar came."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.advanced = 0

    def note(self, text: str) -> None:
        self.lines.append(text)

    def advance(self, items: int = 1) -> None:
        self.advanced += items


def scan(height: int, width: int, channels: int = 1) -> npt.NDArray[np.uint8]:
    random = np.random.default_rng(height * width)
    soft = cv2.resize(
        random.random((5, 5, channels)), (width, height), interpolation=cv2.INTER_AREA
    )
    return (255 * soft).astype(np.uint8).reshape(height, width, channels)


def write(path: Path, pixels: npt.NDArray[np.generic]) -> None:
    path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Grey, colour, with alpha, of 16 bits, with a palette, and DICOM; the last two are broken."""
    write(tmp_path / "grey.png", scan(60, 70))
    write(tmp_path / "same size.png", scan(60, 70)[::-1])
    write(tmp_path / "colour é.png", scan(80, 50, 3))
    write(tmp_path / "alpha.png", scan(50, 50, 4))
    write(tmp_path / "deep.png", scan(64, 64).astype(np.uint16) * 257)
    (tmp_path / "palette.gif").write_bytes(cv2.imencode(".gif", scan(40, 60, 3))[1].tobytes())
    (tmp_path / "chest.dcm").write_bytes(written(dataset(scan(90, 80)[..., 0] * np.uint16(16))))
    (tmp_path / "broken.png").write_bytes((tmp_path / "grey.png").read_bytes()[:200])
    return [*sorted(str(path) for path in tmp_path.iterdir()), str(tmp_path / "gone.png")]


def brightness(images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    white = images.mean(axis=(1, 2, 3)) / 255
    return np.stack([1 - white, white], axis=1).astype(np.float32)


def by_brightness(paths: list[str], **changes: object) -> FilePredictions:
    usual: dict[str, object] = {"reporter": Silent(), "skip_unreadable": False}
    model = ExportedModel(brightness, CLASSES, None)
    return predict_with_export(model, paths, **usual | changes)  # type: ignore[arg-type]


def test_an_exported_file_gets_each_image_as_it_is_decoded(files: list[str]) -> None:
    readable = [path for path in files if Path(path).stem not in ("broken", "gone")]
    predicted = by_brightness(readable)
    assert predicted.paths == readable
    white = [read_image(Path(path)).mean() / 255 for path in readable]
    np.testing.assert_allclose(predicted.probabilities[:, 1], white, atol=1e-6)
    assert predicted.labels == [CLASSES[int(share > 0.5)] for share in white]


def test_an_exported_file_tells_what_is_unusual_if_it_knows(files: list[str]) -> None:
    readable = [path for path in files if Path(path).stem not in ("broken", "gone")]
    white = [read_image(Path(path)).mean() for path in readable]
    middle = float(np.median(white))

    def predict(images: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
        # In the order in which some converters return them.
        return [images.mean(axis=(1, 2, 3)) / (middle + 0.1), brightness(images)]

    model = ExportedModel(predict, CLASSES, None)
    predicted = predict_with_export(model, readable, Silent(), skip_unreadable=False)
    bright = [mean > middle + 0.1 for mean in white]
    assert 0 < sum(bright) < len(bright)
    assert predicted.unusual is not None
    assert predicted.unusual.tolist() == bright
    expected = by_brightness(readable)
    assert expected.unusual is None
    np.testing.assert_array_equal(predicted.probabilities, expected.probabilities)


def predicted_by_a_run(
    own: PreparedDemo, paths: list[str], scratch: Path, **changes: object
) -> FilePredictions:
    usual: dict[str, object] = {"reporter": Silent(), "skip_unreadable": False}
    predictor = Predictor([member_for_files(own.workspace.runs / "run")])
    return predict_with_runs(predictor, paths, scratch, **usual | changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def own(demo: PreparedDemo, tmp_path_factory: pytest.TempPathFactory) -> PreparedDemo:
    own = copy_demo(demo, tmp_path_factory.mktemp("files"))
    random_run(own, "run", folds=1)
    return own


def test_a_run_predicts_the_pipeline_s_images(
    own: PreparedDemo, files: list[str], tmp_path: Path
) -> None:
    notes = Notes()
    scratch = tmp_path / "scratch"
    predicted = predicted_by_a_run(own, files, scratch, reporter=notes, skip_unreadable=True)
    pipeline = Pipeline.parse("gray | resize", SIZE)
    images = np.stack([pipeline(read_image(Path(path))) for path in predicted.paths])
    expected = Predictor([member_for_files(own.workspace.runs / "run")]).predict(images)
    np.testing.assert_allclose(predicted.probabilities, expected.probabilities, atol=1e-6)
    assert predicted.paths == [p for p in files if Path(p).stem not in ("broken", "gone")]
    assert predicted.classes == own.prepared.competition.targets()
    (note,) = notes.lines
    assert note.startswith("Left out 2 images that cannot be read: ")
    assert "broken.png (the file is cut off after 200 bytes)" in note
    assert "gone.png (" in note


def test_files_that_cannot_be_read_are_named_before_any_is_predicted(
    own: PreparedDemo, files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Predictor, "predict", None)
    told = r"2 images cannot be read.*broken\.png \(.*gone\.png \(.*--skip-unreadable"
    with pytest.raises(DataError, match=told):
        predicted_by_a_run(own, files, tmp_path / "scratch")


def test_an_exported_file_names_all_files_that_cannot_be_read(files: list[str]) -> None:
    with pytest.raises(DataError, match=r"2 images.*broken\.png.*gone\.png.*--skip-unreadable"):
        by_brightness(files)
    notes = Notes()
    assert len(by_brightness(files, skip_unreadable=True, reporter=notes).paths) == len(files) - 2
    assert len(notes.lines) == 1
    assert notes.advanced == len(files)


@pytest.mark.parametrize("skip", [True, False])
def test_without_any_image_that_can_be_read_there_is_no_table(
    files: list[str], own: PreparedDemo, tmp_path: Path, skip: bool
) -> None:
    with pytest.raises(DataError, match=r"No image can be read.*gone\.png"):
        by_brightness(files[-1:], skip_unreadable=skip)
    with pytest.raises(DataError, match=r"No image can be read.*gone\.png"):
        predicted_by_a_run(own, files[-1:], tmp_path / "scratch", skip_unreadable=skip)


def test_images_of_another_size_than_the_file_takes_are_told(files: list[str]) -> None:
    model = ExportedModel(brightness, CLASSES, (60, 70))
    grey = [path for path in files if Path(path).stem in ("grey", "same size", "deep")]
    with pytest.raises(DataError, match=r"An image.*deep\.png \(it is of \(64, 64\) and not \(60"):
        predict_with_export(model, grey, Silent(), skip_unreadable=False)
    kept = predict_with_export(model, grey, Silent(), skip_unreadable=True)
    assert [Path(path).stem for path in kept.paths] == ["grey", "same size"]


def test_memory_is_bounded_by_chunks_of_files_and_batches_of_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = []
    for number in range(2 * raw_images.CHUNK + 3):
        paths.append(str(tmp_path / f"{number:03}.png"))
        write(Path(paths[-1]), np.full((4, 5 + number % 2), number, np.uint8))
    monkeypatch.setattr(raw_images, "MAX_VALUES", 3 * 4 * 6)
    batches = []

    def predict(images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        batches.append(images.shape)
        return brightness(images)

    predicted = predict_with_export(
        ExportedModel(predict, CLASSES, None), paths, Silent(), skip_unreadable=False
    )
    assert max(np.prod(shape) for shape in batches) <= 3 * 4 * 6
    assert sum(shape[0] for shape in batches) == len(paths)
    expected = np.arange(len(paths)) / 255
    np.testing.assert_allclose(predicted.probabilities[:, 1], expected, atol=1e-6)


def test_an_image_larger_than_a_batch_is_predicted_alone(
    files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    grey = [path for path in files if Path(path).stem in ("grey", "same size")]
    expected = by_brightness(grey).probabilities
    monkeypatch.setattr(raw_images, "MAX_VALUES", 1)
    np.testing.assert_array_equal(by_brightness(grey).probabilities, expected)


def test_runs_of_other_classes_are_refused(own: PreparedDemo, tmp_path: Path) -> None:
    member = member_for_files(own.workspace.runs / "run")
    record = dataclasses.replace(member.record, targets=["x", "y"])
    predictor = Predictor([member, dataclasses.replace(member, record=record)])
    with pytest.raises(DataError, match=r"different classes.*'x', 'y'"):
        predict_with_runs(predictor, ["a.png"], tmp_path, Silent(), skip_unreadable=False)


def test_the_table_has_a_column_a_class_and_the_most_probable_one() -> None:
    probabilities = np.array([[0.25, 0.75], [0.5, 0.5]], np.float32)
    predictions = FilePredictions(["x.png", "y.png"], ["normal", "covid"], probabilities)
    assert predictions.table().to_csv(index=False).splitlines() == [
        "path,normal,covid,label", "x.png,0.25,0.75,covid", "y.png,0.5,0.5,normal",
    ]  # fmt: skip
    assert predictions.preview().splitlines()[1].split() == ["x.png", "0.2500", "0.7500", "covid"]


def test_the_table_ends_with_what_is_unusual_where_that_is_known() -> None:
    predictions = FilePredictions(
        ["x.png", "y.png", "z.png"], ["unusual"], np.ones((3, 1), np.float32),
        np.array([True, False, True]),
    )  # fmt: skip
    assert predictions.table().to_csv(index=False).splitlines() == [
        "path,unusual (class),label,unusual",
        "x.png,1.0,unusual,1", "y.png,1.0,unusual,0", "z.png,1.0,unusual,1",
    ]  # fmt: skip
    told = "Predicted 3 images: o.csv. 2 of 3 images look unlike the chest X-rays of"
    assert predictions.describe(Path("o.csv")).startswith(told)
    usual = dataclasses.replace(predictions, unusual=np.zeros(3, np.bool_))
    assert usual.describe(Path("o.csv")) == "Predicted 3 images: o.csv."


def test_classes_called_as_columns_of_the_table_do_not_break_it() -> None:
    predictions = FilePredictions(["x"], ["path", "label"], np.array([[0.25, 0.75]], np.float32))
    assert predictions.table().to_csv(index=False).splitlines() == [
        "path,path (class),label (class),label", "x,0.25,0.75,label",
    ]  # fmt: skip


def test_only_a_short_table_is_shown() -> None:
    probabilities = np.ones((11, 1), np.float32)
    assert FilePredictions([str(n) for n in range(11)], ["a"], probabilities).preview() == ""
    assert FilePredictions(["x"] * 10, ["a"], probabilities[:10]).preview().count("\n") == 11
