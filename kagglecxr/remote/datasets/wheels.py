"""Wheels of the kit, and of what it needs beyond Kaggle's image, from what is installed here."""

import contextlib
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

from wheel.wheelfile import WheelFile  # type: ignore[import-untyped]

import kagglecxr
from kagglecxr.remote.datasets.checkout import read_checkout
from kagglecxr.remote.datasets.image import lacking
from kagglecxr.remote.datasets.installed import read_installed
from kagglecxr.remote.datasets.packable import Packable
from kagglecxr.remote.datasets.sameness import kept_if_same

# The earliest time that a zip knows.
_BEGINNING = "315532800"


def build_wheels(folder: Path) -> list[Path]:
    """Packs wheels that `pip install --no-index --no-deps` takes on Kaggle's machines.

    The same content gives the same bytes. Wheels of other versions are removed from the folder.

    Args:
        folder: where they go.

    Returns:
        The kit's own wheel first, then one for each distribution that the image lacks.

    Raises:
        MissingError: one that the image lacks is not installed here either, or is damaged.
        DataError: one that the image lacks is compiled, or cannot be packed for another reason.
    """
    package = Path(kagglecxr.__file__).parent
    own = read_checkout(package) or read_installed(kagglecxr.__name__)
    packed = [own, *(read_installed(each.metadata["Name"]) for each in lacking(own.requires))]
    wheels = [_pack(packable, folder) for packable in packed]
    for old in {*folder.glob("*.whl")} - {*wheels}:
        old.unlink()
    return wheels


def _pack(packable: Packable, folder: Path) -> Path:
    path = folder / f"{packable.name_version}-{packable.tag}.whl"
    with (
        kept_if_same(path) as beside,
        _time(_BEGINNING),
        # Compressed bytes differ from one zlib to the next.
        WheelFile(str(beside), "w", zipfile.ZIP_STORED) as wheel,
    ):
        # The metadata last, as the format asks.
        for name in sorted(packable.files, key=lambda name: (".dist-info/" in name, name)):
            wheel.writestr(name, packable.files[name])
    return path


@contextlib.contextmanager
def _time(seconds: str) -> Iterator[None]:
    """Has files packed with this time, which `wheel` takes from the environment alone."""
    before = os.environ.get("SOURCE_DATE_EPOCH")
    os.environ["SOURCE_DATE_EPOCH"] = seconds
    try:
        yield
    finally:
        if before is None:
            del os.environ["SOURCE_DATE_EPOCH"]
        else:
            os.environ["SOURCE_DATE_EPOCH"] = before
