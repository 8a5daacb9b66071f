"""Reads the kit's own files from its source tree, as setuptools would pack them.

An editable installation knows neither its files nor, once setup.cfg has changed, its requirements.
"""

import configparser
from collections.abc import Iterator
from pathlib import Path

from kagglecxr.remote.datasets.packable import Packable
from kagglecxr.version import __version__

_TAG = "py3-none-any"


def read_checkout(package: Path) -> Packable | None:
    """The package with its setup.cfg beside it; None where there is none of its name.

    Args:
        package: the package's own folder.
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
        "top_level.txt": [package.name],
    }
    files = {
        f"{name_version}.dist-info/{name}": ("\n".join(lines) + "\n").encode()
        for name, lines in metadata.items()
    }
    license_file = package.parent / setup["metadata"]["license_files"]
    files[f"{name_version}.dist-info/licenses/{license_file.name}"] = license_file.read_bytes()
    for path in _sources(package, setup):
        files[path.relative_to(package.parent).as_posix()] = path.read_bytes()
    return Packable(name_version, _TAG, files, requires)


def _sources(package: Path, setup: configparser.ConfigParser) -> Iterator[Path]:
    yield from (path for path in package.rglob("*.py") if (path.parent / "__init__.py").is_file())
    for owner, patterns in setup["options.package_data"].items():
        folder = package.parent.joinpath(*owner.split("."))
        for pattern in _lines(patterns):
            yield from folder.glob(pattern)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
