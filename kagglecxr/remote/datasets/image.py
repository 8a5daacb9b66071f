"""What the kit needs and Kaggle's image lacks."""

from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.resources import files

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from kagglecxr.core.errors import MissingError

# Kaggle's machines, on which a marker is to be true, whatever this one is.
_THERE = {
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


def lacking(requirements: Iterable[str]) -> list[Distribution]:
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
        if name in found or not _is_asked_for(requirement) or _is_met(requirement, image):
            continue
        found[name] = _installed(requirement)
        waiting += found[name].requires or []
    return [found[name] for name in sorted(found)]


def _is_asked_for(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(_THERE)


def _is_met(requirement: Requirement, image: dict[str, str]) -> bool:
    version = image.get(canonicalize_name(requirement.name))
    if not version:
        return version is not None
    return requirement.specifier.contains(version, prereleases=True)


def _installed(requirement: Requirement) -> Distribution:
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
