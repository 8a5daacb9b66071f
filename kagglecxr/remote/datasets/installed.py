"""Reads an installed distribution back as what its wheel was made of."""

from collections.abc import Iterator
from email.parser import Parser
from importlib.metadata import Distribution, PackagePath, distribution
from pathlib import Path

from kagglecxr.core.errors import DataError, MissingError
from kagglecxr.remote.datasets.packable import Packable

_COMPILED = {".so", ".pyd", ".dylib", ".dll", ".a"}
_OF_INSTALLER = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"}


def read_installed(name: str) -> Packable:
    """The files and metadata of an installed distribution.

    Args:
        name: the distribution's.

    Raises:
        DataError: it is compiled, or was not installed from a wheel.
        MissingError: one of its files is not there any more.
    """
    found = distribution(name)
    label = f"{found.metadata['Name']} {found.version}"
    listed = list(_files(found, label))
    folders = {path.parts[0] for path in listed if path.parts[0].endswith(".dist-info")}
    if len(folders) != 1:
        raise _unpackable(label, "no list of its files", f"pip install --force-reinstall {name}")
    wheel = Parser().parsestr(found.read_text("WHEEL") or "")
    tags = wheel.get_all("Tag", [])
    if wheel["Root-Is-Purelib"] != "true" or not all(tag.endswith("-none-any") for tag in tags):
        raise _compiled(label, tags[0] if tags else "no tag")
    pythons = ".".join(sorted(tag.partition("-")[0] for tag in tags))
    try:
        files = {str(path): Path(str(path.locate())).read_bytes() for path in listed}
    except FileNotFoundError as error:
        raise MissingError(
            f"An installed distribution is damaged. Received: {label} without {error.filename}. "
            f"Run: pip install --force-reinstall {name}"
        ) from error
    return Packable(
        name_version=folders.pop().removesuffix(".dist-info"),
        tag=f"{pythons}-none-any",
        files=files,
        requires=found.requires or [],
    )


def _files(found: Distribution, label: str) -> Iterator[PackagePath]:
    scripts = {entry.name for entry in found.entry_points}
    for path in found.files or []:
        if path.suffix in _COMPILED:
            raise _compiled(label, str(path))
        is_cache = path.suffix == ".pyc" or "__pycache__" in path.parts
        is_installers = path.parts[0].endswith(".dist-info") and path.name in _OF_INSTALLER
        # pip makes the scripts of entry points anew.
        is_script = path.parent.name in ("bin", "Scripts") and path.stem in scripts
        if is_cache or is_installers or is_script:
            continue
        if path.parts[0] == ".." or path.suffix == ".pth":
            raise _unpackable(
                label, f"{path} outside its package", "pip install it from a wheel, not editable"
            )
        yield path


def _compiled(label: str, what: str) -> DataError:
    return DataError(
        f"A distribution that Kaggle's image lacks is compiled. Received: {label} with {what}. "
        "Add a wheel of it for Python 3.12 on Linux to a dataset of your own and attach that."
    )


def _unpackable(label: str, what: str, command: str) -> DataError:
    return DataError(
        f"An installed distribution cannot be packed as a wheel. Received: {label} with {what}. "
        f"Run: {command}"
    )
