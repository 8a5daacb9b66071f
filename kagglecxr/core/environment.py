"""Checks of the machine: Python, libraries, processor, memory and disk."""

import importlib.metadata
import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

GIGABYTE = 1e9


@dataclass(frozen=True)
class Check:
    """What was checked and found, whether it is fine, and what to do about it if not."""

    subject: str
    found: str
    advice: str = ""
    is_ok: bool = True


def check_environment(work: Path | None) -> list[Check]:
    """Checks what needs neither Keras nor a network, and the disk of a workspace."""
    return [
        Check("Python", platform.python_version()),
        *(_check_library(name) for name in ("keras", "tensorflow", "kaggle", "optuna")),
        _check_opencv(),
        Check("processor", f"{os.cpu_count()} cores, {platform.machine()}"),
        _check_memory(),
        _check_disk(work or Path()),
    ]


def _check_library(name: str) -> Check:
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Check(name, "not installed", f"pip install {name}", is_ok=False)
    major, minor, *_ = (int(part) for part in version.split(".")[:2])
    if name == "keras" and (major, minor) < (3, 12):
        advice = "pip install 'keras>=3.12': 3.11 loads EfficientNet's weights wrongly"
        return Check(name, version, advice, is_ok=False)
    return Check(name, version)


def _check_opencv() -> Check:
    try:
        import cv2  # several packages provide it, in a Kaggle kernel another one
    except ImportError as error:
        return Check("opencv", str(error), "pip install opencv-python-headless", is_ok=False)
    return Check("opencv", cv2.__version__)


def _check_memory() -> Check:
    pages = os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    total = pages * os.sysconf("SC_PAGE_SIZE") / GIGABYTE if pages else 0.0
    if not total:
        return Check("memory", "unknown")
    advice = "" if total >= 4 else "Prepare with a smaller --size, train with a smaller batch_size."
    return Check("memory", f"{total:.1f} GB", advice, is_ok=not advice)


def _check_disk(folder: Path) -> Check:
    existing = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    free = shutil.disk_usage(existing).free / GIGABYTE
    advice = "" if free >= 5 else "The Radiography Database and its cache need 5 GB: free some."
    return Check("disk", f"{free:.1f} GB free at {existing.absolute()}", advice, is_ok=not advice)
