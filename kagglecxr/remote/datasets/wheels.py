"""Builds the wheels of the package and of the dependencies that Kaggle's image lacks."""

import contextlib
import os
import zipfile
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.resources import files
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from wheel.wheelfile import WheelFile  # type: ignore[import-untyped]

import kagglecxr
from kagglecxr.core.errors import MissingError
from kagglecxr.remote.datasets.distributions import WheelContents, read_installed, read_source_tree
from kagglecxr.remote.datasets.run_archives import write_if_changed

# The earliest time that a zip knows.
_ZIP_EPOCH = "315532800"


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
    own = read_source_tree(package) or read_installed(kagglecxr.__name__)
    packed = [
        own,
        *(read_installed(each.metadata["Name"]) for each in missing_from_image(own.requires)),
    ]
    wheels = [_pack(packable, folder) for packable in packed]
    for old in {*folder.glob("*.whl")} - {*wheels}:
        old.unlink()
    return wheels


def _pack(packable: WheelContents, folder: Path) -> Path:
    path = folder / f"{packable.name_version}-{packable.tag}.whl"
    with (
        write_if_changed(path) as beside,
        _source_date_epoch(_ZIP_EPOCH),
        # Compressed bytes differ from one zlib to the next.
        WheelFile(str(beside), "w", zipfile.ZIP_STORED) as wheel,
    ):
        # The metadata last, as the format asks.
        for name in sorted(packable.files, key=lambda name: (".dist-info/" in name, name)):
            wheel.writestr(name, packable.files[name])
    return path


@contextlib.contextmanager
def _source_date_epoch(seconds: str) -> Iterator[None]:
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


# Kaggle's machines, on which a marker is to be true, whatever this one is.
_IMAGE_MARKERS = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.12.13",
    "python_version": "3.12",
    "sys_platform": "linux",
    "extra": "",
}


def image_versions() -> dict[str, str]:
    """The version of each distribution in Kaggle's image; empty where only its name is known."""
    text = files("kagglecxr.remote.datasets").joinpath("kaggle_image.txt").read_text("utf-8")
    lines = [line.partition("==") for line in text.splitlines() if not line.startswith("#")]
    return {canonicalize_name(name): version for name, _, version in lines}


def missing_from_image(requirements: Iterable[str]) -> list[Distribution]:
    """The installed distributions that requirements ask for, theirs too, and the image has not.

    One that the image has in a version too old counts as lacking. Extras are left out.

    Args:
        requirements: as a distribution's metadata list them.

    Raises:
        MissingError: one of them is not installed here either, or in a version too old.
    """
    image = image_versions()
    found: dict[str, Distribution] = {}
    waiting = list(requirements)
    while waiting:
        requirement = Requirement(waiting.pop())
        name = canonicalize_name(requirement.name)
        if name in found or not _applies(requirement) or _is_satisfied(requirement, image):
            continue
        found[name] = _installed_distribution(requirement)
        waiting += found[name].requires or []
    return [found[name] for name in sorted(found)]


def _applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(_IMAGE_MARKERS)


def _is_satisfied(requirement: Requirement, image: dict[str, str]) -> bool:
    version = image.get(canonicalize_name(requirement.name))
    if not version:
        return version is not None
    return requirement.specifier.contains(version, prereleases=True)


def _installed_distribution(requirement: Requirement) -> Distribution:
    try:
        found = distribution(requirement.name)
        received = f"version {found.version}"
        is_enough = requirement.specifier.contains(found.version, prereleases=True)
    except PackageNotFoundError:
        received, is_enough = "none", False
    if not is_enough:
        raise MissingError(
            f"What Kaggle's image lacks is not installed here either. Received: {received} of "
            f"{requirement.name}. Run: pip install '{requirement.name}{requirement.specifier}'"
        )
    return found
