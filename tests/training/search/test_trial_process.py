"""Processes are started in advance, report how they end, and are not left behind."""

import time
from pathlib import Path

import pytest

from kagglecxr.training.search.trial_process import (
    RunningTrial,
    TrialResult,
    TrialSpec,
    WarmPool,
    WarmProcess,
)
from tests.training.search.conftest import make_spec

WAITS = '#!/bin/sh\necho began >> {0}/started\nread line\necho "$line" >> {0}/received\nexit 3\n'


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The script run in place of a trial; it writes that it started and what it received."""
    path = tmp_path / "trial.sh"
    path.write_text(WAITS.format(tmp_path))
    path.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(path))
    return path


def numbered_spec(folder: Path, number: int) -> TrialSpec:
    return make_spec(folder / f"trial-{number}", number=number)


def end_of(process: RunningTrial) -> TrialResult:
    while (result := process.poll()) is None:
        time.sleep(0.01)
    return result


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.is_file() else []


def wait_for(path: Path, count: int) -> None:
    deadline = time.monotonic() + 30
    while len(lines(path)) < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_next_process_starts_while_the_one_before_trains(script: Path, tmp_path: Path) -> None:
    specs = [numbered_spec(tmp_path, number) for number in range(3)]
    with WarmPool() as launch:
        for number, spec in enumerate(specs):
            assert end_of(launch(spec)).state == "died"
            wait_for(tmp_path / "started", number + 2)
        spare = launch._spare
        assert spare is not None
        assert spare.is_alive()
    assert not spare.is_alive()
    assert [TrialSpec.from_json(line) for line in lines(tmp_path / "received")] == specs
    assert len(lines(tmp_path / "started")) == 4


def test_a_spare_process_that_died_is_replaced(script: Path, tmp_path: Path) -> None:
    with WarmPool() as launch:
        end_of(launch(numbered_spec(tmp_path, 0)))
        assert launch._spare is not None
        launch._spare._process.kill()
        launch._spare._process.wait()
        end_of(launch(numbered_spec(tmp_path, 1)))
    assert len(lines(tmp_path / "received")) == 2


def test_a_process_that_dies_before_it_gets_a_trial_is_a_trial_that_died(
    script: Path, tmp_path: Path
) -> None:
    script.write_text("#!/bin/sh\necho no such module >&2\nexit 1\n")
    process = WarmProcess()
    while process.is_alive():
        time.sleep(0.01)
    result = end_of(process.train(make_spec(tmp_path)))
    assert result.state == "died"
    assert "status 1 (no such module)" in result.error


def test_a_process_that_dies_is_reported_with_its_last_line(script: Path, tmp_path: Path) -> None:
    script.write_text("#!/bin/sh\nread line\necho out of memory >&2\nexit 3\n")
    result = end_of(WarmProcess().train(make_spec(tmp_path / "trial")))
    assert result.state == "died"
    assert "status 3 (out of memory)" in result.error


def test_the_storage_is_sent_where_nobody_else_can_read_it(script: Path, tmp_path: Path) -> None:
    script.write_text(
        '#!/bin/sh\nread line\necho "$@"\nenv\n'
        'case "$line" in *one-secret*) echo understood;; esac\nexit 3\n'
    )
    folder, url = tmp_path / "trial", "postgresql+psycopg://me:one-secret@host/db"
    result = end_of(WarmProcess().train(make_spec(folder, storage=url)))
    assert "understood" in result.error
    written = "".join(path.read_text() for path in folder.iterdir())
    assert "kagglecxr.training.search.trial" in written
    assert "one-secret" not in written + result.error


def test_a_killed_trial_ends(script: Path, tmp_path: Path) -> None:
    script.write_text("#!/bin/sh\nread line\nexec sleep 60\n")
    process = WarmProcess().train(make_spec(tmp_path))
    process.kill()
    assert process._process.poll() == -9
