"""A trial's process may wait for its trial, and none is left behind."""

import time
from pathlib import Path

import pytest

from kagglecxr.training.search.trial_process import (
    RunningTrial,
    TrialProcess,
    TrialResult,
    TrialSpec,
    WarmPool,
    WarmProcess,
)

WAITS = '#!/bin/sh\necho began >> {0}/begun\nread line\necho "$line" >> {0}/told\nexit 3\n'


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is run in place of a trial: it says that it began and what it was told."""
    path = tmp_path / "trial.sh"
    path.write_text(WAITS.format(tmp_path))
    path.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(path))
    return path


def make_job(folder: Path, number: int) -> TrialSpec:
    return TrialSpec("demo", "", "one", "", number, {}, str(folder / f"trial-{number}"), 1, 0)


def end_of(process: RunningTrial) -> TrialResult:
    while (outcome := process.outcome()) is None:
        time.sleep(0.01)
    return outcome


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.is_file() else []


def wait_for(path: Path, count: int) -> None:
    deadline = time.monotonic() + 30
    while len(lines(path)) < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_next_process_begins_while_the_one_before_trains(script: Path, tmp_path: Path) -> None:
    jobs = [make_job(tmp_path, number) for number in range(3)]
    with WarmPool() as start:
        for number, job in enumerate(jobs):
            assert end_of(start(job)).state == "died"
            wait_for(tmp_path / "begun", number + 2)
        spare = start._spare
        assert spare is not None
        assert spare.status() is None
    assert spare.status() is not None
    assert [TrialSpec.of_line(line) for line in lines(tmp_path / "told")] == jobs
    assert len(lines(tmp_path / "begun")) == 4


def test_a_spare_process_that_died_is_replaced(script: Path, tmp_path: Path) -> None:
    with WarmPool() as start:
        end_of(start(make_job(tmp_path, 0)))
        assert start._spare is not None
        start._spare._process.kill()
        start._spare._process.wait()
        end_of(start(make_job(tmp_path, 1)))
    assert len(lines(tmp_path / "told")) == 2


def test_a_process_that_dies_before_it_is_told_is_a_trial_that_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "dies"
    script.write_text("#!/bin/sh\necho no such module >&2\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(script))
    waiting = WarmProcess()
    while waiting.status() is None:
        time.sleep(0.01)
    outcome = end_of(TrialProcess(make_job(tmp_path, 0), waiting))
    assert outcome.state == "died"
    assert "status 1 (no such module)" in outcome.error


def test_a_stopped_trial_lives_no_more(script: Path, tmp_path: Path) -> None:
    script.write_text("#!/bin/sh\nread line\nexec sleep 60\n")
    process = TrialProcess(make_job(tmp_path, 0))
    process.stop()
    assert process._process.status() == -9
