"""What the folder `kernels` holds: the kernels that `build` writes, and a notebook that runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from kagglecxr.core.files import read_table
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import load_competition
from kagglecxr.kernel.plan import plan_kernels
from kagglecxr.remote.kernels.builder import build_kernels
from kagglecxr.remote.kernels.kernel_metadata import KernelMetadata
from kagglecxr.remote.kernels.kernel_options import KernelOptions
from tests.remote.fake_kaggle import FakeKaggle
from tests.remote.kernels.fake_kernels import FakeKernels

KERNELS = Path(__file__).parents[2] / "kernels"
WHEELS = "your-name/kagglecxr-wheels"
NAMES = ("train", "tune", "submit")


def test_they_are_what_build_writes_today(tmp_path: Path) -> None:
    preset = "covid19-radiography"
    workspace = Workspace(tmp_path / "work", preset)
    settings = plan_kernels(
        load_competition(preset), preset, workspace, "your-name", [WHEELS], [], KernelOptions()
    )
    build_kernels(tmp_path / "kernels", settings)
    for name in NAMES:
        written = {p.name: p.read_text() for p in (tmp_path / "kernels" / name).iterdir()}
        kept = {p.name: p.read_text() for p in (KERNELS / name).iterdir()}
        assert kept == written, f"python -m kagglecxr.kernel build {preset} --owner your-name"


@pytest.mark.parametrize("name", [*NAMES, "tutorial"])
def test_kaggle_s_own_command_takes_them(
    name: str, fake_kaggle: FakeKaggle, fake_kernels: FakeKernels, tmp_path: Path
) -> None:
    metadata = KernelMetadata.read(KERNELS / name)
    assert (KERNELS / name / metadata.code_file).is_file()
    command = [sys.executable, "-c", "from kaggle.cli import main; main()"]
    words = ["kernels", "push", "-p", str(KERNELS / name)]
    done = subprocess.run(
        [*command, *words], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert "successfully pushed" in done.stdout
    assert [one["slug"] for one in fake_kernels.pushed] == [metadata.id]


def tutorial(settings: dict[str, object]) -> nbformat.NotebookNode:
    """The notebook, its first cell of code changed as a Kaggler changes it."""
    notebook = nbformat.read(KERNELS / "tutorial" / "tutorial.ipynb", as_version=4)
    nbformat.validate(notebook)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    lines = first.source.splitlines()
    for name, value in settings.items():
        (number,) = (n for n, line in enumerate(lines) if line.startswith(f"{name} ="))
        lines[number] = f"{name} = {json.dumps(value)}"
    first.source = "\n".join(lines)
    return notebook


def play(notebook: nbformat.NotebookNode, folder: Path) -> str:
    """Runs a notebook in a folder; what it printed."""
    root = str(KERNELS.parent)
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONWARNINGS": "ignore"}
    client = NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(folder)}})
    client.execute(env=environment)
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    return "".join(out.get("text", "") for out in outputs)


def test_the_tutorial_goes_from_images_to_the_leaderboard(
    demo_images: Path, tmp_path: Path
) -> None:
    (tmp_path / "xrays").symlink_to(demo_images)
    small = ["--model", "cnn_small", "--set", "model_options.width=4", "--set", "epochs=1"]
    settings = {
        "COMPETITION": "xrays",
        "PREPARE": ["--size", "48", "--folds", "2"],
        "TRAIN": [*small, "--set", "steps=2"],
    }
    told = play(tutorial(settings), tmp_path)
    assert "on the rehearsal leaderboard" in told
    assert "Next: " in told
    (line,) = read_table(tmp_path / "submissions" / "ledger.csv").to_dict("records")
    assert line["status"] == "rehearsal"


@pytest.mark.slow
def test_the_tutorial_plays_the_demo_as_it_stands(tmp_path: Path) -> None:
    told = play(tutorial({}), tmp_path)
    assert "Rank 1 of 3 on the rehearsal leaderboard" in told
