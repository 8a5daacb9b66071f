"""A script's session counts its time, keeps its files in the scratch, and plays the kit's verbs."""

import subprocess
from pathlib import Path

import pytest

from kagglecxr.core.errors import MissingError
from kagglecxr.remote.kernels.session import Session


def test_time_is_counted_from_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([1000.0, 1600.0, 8200.0])
    monkeypatch.setattr("kagglecxr.core.deadline.monotonic", lambda: next(times))
    session = Session(tmp_path, tmp_path, 1.5)
    assert session.deadline.left() == 5400 - 600
    assert session.deadline.left() == 5400 - 7200


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
        session.run_verb("compare", "demo")
    assert caught.value.code == 2
    assert str(tmp_path / "work") in capfd.readouterr().err
    with pytest.raises(subprocess.TimeoutExpired):
        session.run_verb("compare", "demo", seconds=0.001)


def test_a_user_s_mistake_ends_in_one_sentence_and_a_fault_with_its_trace(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended, Session(tmp_path, tmp_path, 1.0):
        raise MissingError("No data. Attach them.")
    # What Python prints of it, with exit status 1.
    assert ended.value.code == "No data. Attach them."
    with pytest.raises(ValueError, match="odd"), Session(tmp_path, tmp_path, 1.0):
        raise ValueError("odd")
