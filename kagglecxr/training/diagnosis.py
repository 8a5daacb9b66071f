"""What `doctor` sees of the machine."""

import importlib.metadata
import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

import cv2

from kagglecxr.models.model_card import MODELS
from kagglecxr.models.runtime import list_devices, setup_keras
from kagglecxr.models.weights.sources import has_imagenet_weights, keras_models_folder
from kagglecxr.remote.credentials import credential_sources
from kagglecxr.training.select_recipe import default_recipe

GIGABYTE = 1e9


@dataclass(frozen=True)
class Finding:
    """One point that was looked at.

    Attributes:
        subject: what.
        found: how it is.
        advice: what to do about it; empty where nothing is.
        is_well: whether the kit can do its best with it.
    """

    subject: str
    found: str
    advice: str = ""
    is_well: bool = True


def examine(work: Path | None = None) -> list[Finding]:
    """Looks at the machine; asks no network.

    Args:
        work: the workspace whose disk matters; the current folder's where None.
    """
    return [
        _python(),
        *(_library(name) for name in ("keras", "tensorflow", "kaggle", "optuna")),
        # Three packages bring it, the image of a Kaggle kernel others than this kit.
        Finding("opencv", cv2.__version__),
        _backend(),
        _processor(),
        _memory(),
        _disk(work or Path()),
        _credentials(),
        _weights(),
    ]


def _python() -> Finding:
    return Finding("Python", platform.python_version())


def _library(name: str) -> Finding:
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, "not installed", f"pip install {name}", is_well=False)
    major, minor, *_ = (int(part) for part in version.split(".")[:2])
    if name == "keras" and (major, minor) < (3, 12):
        advice = "pip install 'keras>=3.12': 3.11 loads EfficientNet's weights wrongly"
        return Finding(name, version, advice, is_well=False)
    return Finding(name, version)


def _backend() -> Finding:
    backend, devices = setup_keras(), list_devices()
    recipe = f"train uses the recipe {default_recipe(devices)} unless told"
    if devices:
        return Finding("accelerators", f"{', '.join(devices)} ({backend}); {recipe}")
    return Finding(
        "accelerators",
        f"none ({backend} on the CPU); {recipe}",
        "Small models and frozen backbones train well here; for more, use a Kaggle kernel.",
    )


def _processor() -> Finding:
    return Finding("processor", f"{os.cpu_count()} cores, {platform.machine()}")


def _memory() -> Finding:
    pages = os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    total = pages * os.sysconf("SC_PAGE_SIZE") / GIGABYTE if pages else 0.0
    if not total:
        return Finding("memory", "unknown")
    advice = "" if total >= 4 else "Prepare with a smaller --size, train with a smaller batch_size."
    return Finding("memory", f"{total:.1f} GB", advice, is_well=not advice)


def _disk(folder: Path) -> Finding:
    there = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    free = shutil.disk_usage(there).free / GIGABYTE
    advice = "" if free >= 5 else "The Radiography Database and its cache want 5 GB: make room."
    return Finding("disk", f"{free:.1f} GB free at {there.absolute()}", advice, is_well=not advice)


def _credentials() -> Finding:
    found = [place.name for place in credential_sources()]
    if not found:
        return Finding(
            "Kaggle account",
            "no credentials",
            "Only needed to download and submit: create a token on your Kaggle settings page and "
            "save it as ~/.kaggle/access_token.",
            is_well=False,
        )
    advice = f"{found[0]} wins; a stale one there breaks the rest." if len(found) > 1 else ""
    return Finding("Kaggle account", ", ".join(found), advice)


def _weights() -> Finding:
    from kagglecxr.models.zoo import list_models

    here = [name for name in list_models() if has_imagenet_weights(MODELS[name])]
    if here:
        return Finding("ImageNet weights", ", ".join(here))
    return Finding(
        "ImageNet weights",
        f"none in {keras_models_folder()}",
        "They are downloaded at first use; without a network, put the files there or name their "
        "folder: --set weights=FOLDER.",
        is_well=False,
    )
