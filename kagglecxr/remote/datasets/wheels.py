"""Builds the wheels of the package and of the dependencies that Kaggle's image lacks."""

import base64
import hashlib
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.resources import files
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import kagglecxr
from kagglecxr.core.errors import MissingError
from kagglecxr.core.files import reproducible_zip, zip_member
from kagglecxr.remote.datasets.distributions import WheelContents, read_installed, read_source_tree

# The environment in which Kaggle evaluates the markers of requirements.
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


def build_wheels(folder: Path) -> list[Path]:
    """Builds wheels for `pip install --no-index --no-deps` on Kaggle's machines.

    The same content gives the same bytes. Wheels of other versions are removed from the folder.

    Returns:
        The package's own wheel first, then one for each distribution that the image lacks.

    Raises:
        MissingError: a distribution that the image lacks is not installed here either, or damaged.
        DataError: a distribution that the image lacks is compiled, or cannot be packed.
    """
    package = Path(kagglecxr.__file__).parent
    own = read_source_tree(package) or read_installed(kagglecxr.__name__)
    lacking = missing_from_image(own.requires)
    contents = [own, *(read_installed(each.metadata["Name"]) for each in lacking)]
    wheels = [_write_wheel(each, folder) for each in contents]
    for old in {*folder.glob("*.whl")} - {*wheels}:
        old.unlink()
    return wheels


def _write_wheel(contents: WheelContents, folder: Path) -> Path:
    path = folder / f"{contents.name_version}-{contents.tag}.whl"
    record = f"{contents.name_version}.dist-info/RECORD"
    lines = []
    with reproducible_zip(path) as wheel:
        # The metadata last, as the format asks.
        for name in sorted(contents.files, key=lambda name: (".dist-info/" in name, name)):
            data = contents.files[name]
            wheel.writestr(zip_member(name), data)
            sha256 = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
            # Quoted as CSV where the name needs it.
            quoted = f'"{name}"' if "," in name else name
            lines.append(f"{quoted},sha256={sha256},{len(data)}\n")
        wheel.writestr(zip_member(record), "".join([*lines, f"{record},,\n"]))
    return path


def image_versions() -> dict[str, str]:
    """The version of each distribution in Kaggle's image; empty where any version will do."""
    text = files("kagglecxr.remote.datasets").joinpath("kaggle_image.txt").read_text("utf-8")
    lines = [line.partition("==") for line in text.splitlines() if not line.startswith("#")]
    return {canonicalize_name(name): version for name, _, version in lines}


def missing_from_image(requirements: Iterable[str]) -> list[Distribution]:
    """Finds the installed distributions that requirements need and Kaggle's image lacks.

    Requirements of requirements are followed. A version in the image that is too old counts as
    lacking. Extras are left out.

    Raises:
        MissingError: one of them is not installed here either, or in a version too old.
    """
    image = image_versions()
    found: dict[str, Distribution] = {}
    pending = list(requirements)
    while pending:
        requirement = Requirement(pending.pop())
        name = canonicalize_name(requirement.name)
        applies = requirement.marker is None or requirement.marker.evaluate(_IMAGE_MARKERS)
        if name in found or not applies or _is_satisfied(requirement, image):
            continue
        found[name] = _installed_distribution(requirement)
        pending += found[name].requires or []
    return [found[name] for name in sorted(found)]


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
            f"A distribution that Kaggle's image lacks is not installed here. Received: {received} "
            f"of {requirement.name}. Run: pip install '{requirement.name}{requirement.specifier}'"
        )
    return found
