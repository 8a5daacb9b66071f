"""What tests of all rooms share: a small built-in competition, drawn and prepared once."""

import gc
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest
from filelock import FileLock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from kagglecxr.core.progress import Silent
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.cache.cache_form import WantedForm
from kagglecxr.data.competition import Competition, load_competition
from kagglecxr.data.phantoms import IMAGES, demo_data, make_demo
from kagglecxr.data.prepare import PrepareOptions, prepare_competition
from kagglecxr.data.prepared import PreparedData

FOLDS = 3
SIZE = 48


@dataclass(frozen=True)
class PreparedDemo:
    """The small competition, prepared in a workspace of its own."""

    competition: Competition
    workspace: Workspace
    prepared: PreparedData


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What trains or starts processes first: at the end no worker is left alone with it."""
    top = Path(__file__).parent
    rooms = ("training", "kernel")
    items.sort(key=lambda i: i.path.parent != top and i.path.relative_to(top).parts[0] not in rooms)


def pytest_collection_finish() -> None:
    """Takes what is imported out of the search for garbage, which each new model starts."""
    gc.collect()
    gc.freeze()


def pytest_make_parametrize_id(val: object) -> str | None:
    """Bytes by their number: those of an archive hold the time, and workers compare names."""
    return f"{len(val)}_bytes" if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def demo_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fifth of the demo's images: one folder a class, masks, metadata.csv. Only to be read."""
    own = tmp_path_factory.getbasetemp()
    # Workers have a folder in common; the second to come finds the images drawn.
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    fifth = {label: images // 5 for label, images in IMAGES.items()}
    with FileLock(shared / "demo.lock"), patch.object(demo_data, "IMAGES", fifth):
        return make_demo(shared / "demo-images", seed=0, reporter=Silent())


def prepare_demo(
    images: Path, root: Path, *, seed: int = 0, cache: WantedForm = "auto"
) -> PreparedDemo:
    """Prepares the demo's images in a workspace at `root`."""
    competition = load_competition("demo")
    workspace = Workspace(root, competition.name)
    request = PrepareOptions(images, SIZE, "gray | resize", 0.2, FOLDS, False, seed, cache)
    prepared = prepare_competition(competition, workspace, request, Silent())
    return PreparedDemo(competition, workspace, prepared)


def copy_demo(demo: PreparedDemo, root: Path) -> PreparedDemo:
    """The prepared competition in a workspace of its own, but for the cache, only to be read."""
    shutil.copytree(
        demo.workspace.root, root, ignore=shutil.ignore_patterns("cache"), dirs_exist_ok=True
    )
    return PreparedDemo(demo.competition, Workspace(root, demo.competition.name), demo.prepared)


@pytest.fixture(scope="session")
def demo(demo_images: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedDemo:
    """The small competition, prepared. Only to be read."""
    return prepare_demo(demo_images, tmp_path_factory.mktemp("workspace"))


@pytest.fixture
def in_folder(tmp_path: Path) -> Iterator[Path]:
    """An empty folder that is the current one."""
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)
