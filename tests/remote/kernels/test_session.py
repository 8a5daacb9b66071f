"""A script's session counts its time, keeps its files in the scratch, and plays the kit's verbs."""

import subprocess
import sys
from pathlib import Path

import pytest

from kagglecxr.core.errors import MissingError
from kagglecxr.remote.kernels.session import Session, end_in_one_sentence


def test_time_is_counted_from_the_start(tmp_path: Path) -> None:
    times = iter([1000.0, 1600.0, 8200.0])
    session = Session(tmp_path, tmp_path, 1.5, lambda: next(times))
    assert session.seconds_left() == 5400 - 600
    assert session.seconds_left() == 5400 - 7200


def test_a_name_stays_and_a_text_becomes_a_file(tmp_path: Path) -> None:
    session = Session(tmp_path, tmp_path / "scratch", 1.0)
    assert session.as_file("umons-covid19", "competition") == "umons-covid19"
    for text in ('name = "x"\n[source]\n', "epochs = 3"):
        path = Path(session.as_file(text, "competition"))
        assert path == tmp_path / "scratch" / "competition.toml"
        assert path.read_text() == text


def test_a_verb_has_the_workspace_in_the_scratch_and_its_status_ends_the_script(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    session = Session(tmp_path / "input", tmp_path, 1.0)
    with pytest.raises(SystemExit) as caught:
        session.verb("compare", "demo")
    assert caught.value.code == 2
    assert str(tmp_path / "work") in capfd.readouterr().err
    with pytest.raises(subprocess.TimeoutExpired):
        session.verb("compare", "demo", seconds=0.001)


def test_a_user_s_mistake_ends_in_one_sentence_and_a_fault_with_its_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    end_in_one_sentence()
    for error in (MissingError("No data. Attach them."), ValueError("odd")):
        sys.excepthook(type(error), error, None)
    told = capsys.readouterr().err.splitlines()
    assert told == ["No data. Attach them.", "ValueError: odd"]
