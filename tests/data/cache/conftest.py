"""Folders of small image files and of their caches."""

from pathlib import Path

import pytest

from tests.data.cache.caches import write_images


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Seven images of three sizes, one of them in colour."""
    return write_images(tmp_path / "data")


@pytest.fixture
def caches(tmp_path: Path) -> Path:
    return tmp_path / "cache"
