"""A workspace with two finished runs, an exported file, and X-rays that no index knows."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest

from kagglecxr.core.progress import Silent
from kagglecxr.data.phantoms.phantom import draw_phantom
from kagglecxr.inference.export.exporter import export_model
from kagglecxr.inference.export.file_formats import FORMATS
from kagglecxr.inference.members import members_for_data
from kagglecxr.webapp.app_options import Site
from tests.conftest import PreparedDemo, copy_demo
from tests.inference.random_runs import add_novelty
from tests.training.run_factories import make_run

RIGHT, WRONG = "first-run", "second-run"


@dataclass(frozen=True)
class WebDemo:
    """What the page is of.

    Attributes:
        own: the prepared competition.
        export: a file that was exported of a run.
        xrays: drawn ones.
    """

    own: PreparedDemo
    export: Path
    xrays: list[Path]

    @property
    def site(self) -> Site:
        """The page of the workspace's models."""
        return Site("demo", self.own.workspace)


@pytest.fixture(scope="session")
def web_demo(demo: PreparedDemo, tmp_path_factory: pytest.TempPathFactory) -> WebDemo:
    """The cache is copied too: the page shows images of it."""
    root = tmp_path_factory.mktemp("page")
    own = copy_demo(demo, root / "work")
    (root / "work" / "cache").symlink_to(demo.workspace.cache)
    for seed, name in enumerate((RIGHT, WRONG), start=1):
        run = make_run(own, name, seed, wrong=name == WRONG)
    add_novelty(own, run)
    members = members_for_data([own.workspace.runs / RIGHT], own.prepared)
    export = root / "exported.keras"
    export_model(own.prepared, members, FORMATS["keras"], export, Silent())
    xrays = []
    for number, suffix in enumerate((".png", ".jpg")):
        path = root / f"xray {number}{suffix}"
        cv2.imwrite(str(path), draw_phantom("COVID", 900 + number, 0, 5).image)
        xrays.append(path)
    return WebDemo(own, export, xrays)
