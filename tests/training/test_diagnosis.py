"""`doctor` finds what is there, reads no secret, and advises on what is missing."""

from pathlib import Path

import pytest

from kagglecxr.training.diagnosis import Finding, examine


def _by_subject() -> dict[str, Finding]:
    return {finding.subject: finding for finding in examine()}


def test_every_point_of_the_contract_is_looked_at() -> None:
    found = _by_subject()
    assert {"Python", "keras", "tensorflow", "accelerators", "disk", "Kaggle account"} <= set(found)
    assert found["keras"].is_well


def test_credentials_are_seen_and_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    assert not _by_subject()["Kaggle account"].is_well
    monkeypatch.setenv("KAGGLE_API_TOKEN", "secret-token")
    (tmp_path / ".kaggle").mkdir()
    (tmp_path / ".kaggle" / "kaggle.json").write_text('{"key": "secret-key"}')
    account = _by_subject()["Kaggle account"]
    assert account.is_well
    assert "KAGGLE_API_TOKEN wins" in account.advice
    assert "secret" not in account.found + account.advice


def test_missing_weights_come_with_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    weights = _by_subject()["ImageNet weights"]
    assert not weights.is_well
    assert "--set weights=" in weights.advice
