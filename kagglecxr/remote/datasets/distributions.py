"""Reads pure-Python distributions, from an installation or from the source tree, for packing."""

import configparser
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.parser import Parser
from importlib.metadata import Distribution, PackagePath, distribution
from pathlib import Path

from kagglecxr.core.errors import DataError, MissingError
from kagglecxr.version import __version__


@dataclass(frozen=True)
class WheelContents:
    """What a pure-Python wheel consists of.

    Attributes:
        name_version: the name of its metadata folder, without `.dist-info`.
        tag: as in a wheel's name.
        files: contents by their paths in the wheel, without RECORD.
        requires: as in its metadata.
    """

    name_version: str
    tag: str
    files: Mapping[str, bytes]
    requires: Sequence[str]


_TAG = "py3-none-any"


def read_source_tree(package: Path) -> WheelContents | None:
    """Reads the package from its source tree, as setuptools would pack it.

    An editable installation does not know the package's files nor, once setup.cfg has changed, its
    requirements. None if the folder above holds no setup.cfg of that package.
    """
    setup = configparser.ConfigParser(interpolation=None)
    setup.read(package.parent / "setup.cfg", encoding="utf-8")
    if setup.get("metadata", "name", fallback=None) != package.name:
        return None
    name_version = f"{package.name}-{__version__}"
    requires = _lines(setup["options"]["install_requires"])
    metadata = {
        "METADATA": [
            "Metadata-Version: 2.1",
            f"Name: {package.name}",
            f"Version: {__version__}",
            f"Summary: {setup['metadata']['description']}",
            f"License: {setup['metadata']['license']}",
            f"Requires-Python: {setup['options']['python_requires']}",
            *(f"Requires-Dist: {requirement}" for requirement in requires),
        ],
        "WHEEL": [
            "Wheel-Version: 1.0",
            f"Generator: {package.name} {__version__}",
            "Root-Is-Purelib: true",
            f"Tag: {_TAG}",
        ],
        "entry_points.txt": [
            line
            for group, entries in setup["options.entry_points"].items()
            for line in (f"[{group}]", *_lines(entries))
        ],
    }
    files = {
        f"{name_version}.dist-info/{name}": ("\n".join(lines) + "\n").encode()
        for name, lines in metadata.items()
    }
    license_file = package.parent / setup["metadata"]["license_files"]
    files[f"{name_version}.dist-info/licenses/{license_file.name}"] = license_file.read_bytes()
    for path in _sources(package, setup):
        files[path.relative_to(package.parent).as_posix()] = path.read_bytes()
    return WheelContents(name_version, _TAG, files, requires)


def _sources(package: Path, setup: configparser.ConfigParser) -> Iterator[Path]:
    yield from (path for path in package.rglob("*.py") if (path.parent / "__init__.py").is_file())
    for owner, patterns in setup["options.package_data"].items():
        folder = package.parent.joinpath(*owner.split("."))
        for pattern in _lines(patterns):
            yield from filter(Path.is_file, folder.glob(pattern))


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


_COMPILED = {".so", ".pyd", ".dylib", ".dll", ".a"}
_WRITTEN_BY_INSTALLER = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"}


def read_installed(name: str) -> WheelContents:
    """Reads an installed distribution.

    Raises:
        DataError: it is compiled, or was not installed from a wheel.
        MissingError: one of its files no longer exists.
    """
    found = distribution(name)
    label = f"{found.metadata['Name']} {found.version}"
    listed = list(_wheel_files(found, label))
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
    name_version = folders.pop().removesuffix(".dist-info")
    return WheelContents(name_version, f"{pythons}-none-any", files, found.requires or [])


def _wheel_files(found: Distribution, label: str) -> Iterator[PackagePath]:
    """Yields the files that came from the wheel, without those that the installer wrote."""
    scripts = {entry.name for entry in found.entry_points}
    for path in found.files or []:
        if path.suffix in _COMPILED:
            raise _compiled(label, str(path))
        is_cache = path.suffix == ".pyc" or "__pycache__" in path.parts
        is_metadata = path.parts[0].endswith(".dist-info") and path.name in _WRITTEN_BY_INSTALLER
        is_script = path.parent.name in ("bin", "Scripts") and path.stem in scripts
        if is_cache or is_metadata or is_script:
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
