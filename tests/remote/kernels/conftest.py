"""A kernel's folder, and machines to push it to."""

from pathlib import Path

import pytest

from kagglecxr.remote.datasets.wheels import build_wheels
from kagglecxr.remote.kernels.kernel_metadata import KernelMetadata
from tests.remote.fake_kaggle import FakeKaggle
from tests.remote.kernels.fake_kernels import FakeKernels

SCRIPT = 'COMPETITION = "umons"\nFOLDS = 3\nFOLD = None  # all of them\nprint(FOLD)\n'


@pytest.fixture
def fake_kernels(fake_kaggle: FakeKaggle) -> FakeKernels:
    fake_kernels = FakeKernels()
    fake_kernels.serve(fake_kaggle)
    return fake_kernels


@pytest.fixture
def kernel_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "kernels" / "train"
    folder.mkdir(parents=True)
    (folder / "train.py").write_text(SCRIPT)
    KernelMetadata.parse(
        {
            "id": "mary/umons-train",
            "title": "umons-train",
            "code_file": "train.py",
            "language": "python",
            "kernel_type": "script",
            "enable_internet": False,
            "machine_shape": "NvidiaTeslaT4",
            "enable_gpu": True,
            "dataset_sources": ["mary/kagglecxr-wheels"],
            "competition_sources": ["covid-19-challenge-umons"],
        }
    ).write(folder)
    return folder


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheels that a kernel without internet installs."""
    folder = tmp_path_factory.mktemp("wheels")
    build_wheels(folder)
    return folder
