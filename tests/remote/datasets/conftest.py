"""A folder that is to become a dataset, and the Kaggle it is sent to."""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kagglecxr.core.progress import Bar, Silent, Unit
from kagglecxr.remote.datasets.kaggle_dataset import DatasetMetadata
from kagglecxr.remote.datasets.publish import PublishedDataset, publish
from kagglecxr.remote.datasets.run_archives import pack_run
from tests.remote.datasets.fake_datasets import FakeDatasets
from tests.remote.fake_kaggle import FakeKaggle
from tests.remote.recording import FakeClock

METADATA = {
    "id": "mary/kit-wheels",
    "title": "Wheels of the kit",
    "licenses": [{"name": "apache-2.0"}],
}


class RecordedNotes(Silent):
    """Keeps the notes, and how far each bar came of what it was to count."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.bars: list[list[int]] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    @contextlib.contextmanager
    def bar(self, what: str, total: int, *, unit: Unit = "items", done: int = 0) -> Iterator[Bar]:
        self.bars.append([0, total])
        yield self

    def advance(self, items: int = 1) -> None:
        self.bars[-1][0] += items

    def describe(self, text: str) -> None:
        raise NotImplementedError


@dataclass
class Sender:
    """Publishes a folder, and records notes and bars and how long it would have slept."""

    folder: Path
    clock: FakeClock
    reporter: RecordedNotes = field(default_factory=RecordedNotes)

    @property
    def slept(self) -> list[float]:
        return self.clock.slept

    def publish(self, *, public: bool = False) -> PublishedDataset:
        return publish(self.folder, self.reporter, public=public)


@pytest.fixture
def fake_datasets(
    fake_kaggle: FakeKaggle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> FakeDatasets:
    """No dataset yet; the client's notes on its uploads go to a folder of the test's own."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr("time.sleep", lambda _: None)
    return FakeDatasets(fake_kaggle)


@pytest.fixture
def sender(tmp_path: Path, clock: FakeClock) -> Sender:
    """A folder with three files."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    DatasetMetadata.parse(METADATA).write(folder)
    for name in ("a-1-py3-none-any.whl", "b-1-py3-none-any.whl"):
        (folder / name).write_bytes(name.encode() * 2000)
    pack_run(make_run(tmp_path / "runs" / "vgg16-1a2b3c4d", folds=[0]), folder)
    return Sender(folder, clock)


def make_run(run: Path, folds: list[int], *, of: int = 3, finished: bool = False) -> Path:
    """A run's folder with these of its folds finished, and much that is not to be packed."""
    run.mkdir(parents=True)
    files = {"recipe.json": b'{"seed": 0}', "folds.csv": b"id,fold\n1,0\n", "notes.txt": b"!"}
    if finished:
        files |= {"run.json": b'{"folds": 3}', "oof.npz": b"all folds", "novelty.json": b"1"}
    for fold in range(of):
        (run / f"fold-{fold}" / "logs").mkdir(parents=True)
        files |= {
            f"fold-{fold}/model.weights.h5": b"weights of %d" % fold,
            f"fold-{fold}/history.csv": b"epoch\n%d\n" % fold,
            f"fold-{fold}/validation.npz": b"answers of %d" % fold,
            f"fold-{fold}/novelty.npz": b"images of %d" % fold,
            f"fold-{fold}/checkpoint.weights.h5": b"half",
            f"fold-{fold}/logs/events": b"log",
        }
        if fold in folds or finished:
            files[f"fold-{fold}/fold.json"] = b'{"seconds": %d}' % fold
    for name, content in files.items():
        (run / name).write_bytes(content)
    return run
