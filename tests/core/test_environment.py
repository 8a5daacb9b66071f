"""Checks of the machine for `doctor`."""

import importlib.metadata
import shutil
from pathlib import Path

import pytest

from kagglecxr.core.environment import Check, check_environment


def by_subject(work: Path | None = None) -> dict[str, Check]:
    return {check.subject: check for check in check_environment(work)}


def test_versions_and_hardware_are_checked() -> None:
    found = by_subject()
    assert {"Python", "keras", "tensorflow", "opencv", "processor", "memory", "disk"} <= set(found)
    assert found["keras"].is_ok


@pytest.mark.parametrize(("version", "is_ok"), [("3.11.3", False), ("3.12.0", True)])
def test_a_keras_that_is_too_old_is_advised_against(
    version: str, is_ok: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version)
    check = by_subject()["keras"]
    assert check.is_ok == is_ok
    assert ("EfficientNet" in check.advice) != is_ok


def test_a_library_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert by_subject()["optuna"] == Check("optuna", "not installed", "pip install optuna", False)


def test_the_disk_is_that_of_the_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=4 * 10**9)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    disk = by_subject(tmp_path / "not" / "there")["disk"]
    assert disk.found == f"4.0 GB free at {tmp_path}"
    assert not disk.is_ok
