"""Submits and gives up after ten minutes, for tests."""

import dataclasses
from pathlib import Path

import pytest

from kagglecxr.core.progress import Reporter, Silent
from kagglecxr.leaderboard.kaggle import SubmitResult, submit
from kagglecxr.leaderboard.send_once import SubmissionRequest
from kagglecxr.leaderboard.submission import file_submission
from kagglecxr.remote.errors import KaggleError


def run(wanted: SubmissionRequest, reporter: Reporter | None = None) -> SubmitResult:
    return submit(wanted, reporter or Silent(), 600.0)


def failure(wanted: SubmissionRequest, kind: type[Exception] = KaggleError) -> str:
    """The sentence with which a submission fails."""
    with pytest.raises(kind) as caught:
        run(wanted)
    return str(caught.value)


def another(wanted: SubmissionRequest, name: str) -> SubmissionRequest:
    """The same request for another file."""
    path = Path(wanted.submission.name)
    other = path.with_name(name)
    other.write_bytes(path.read_bytes() + name.encode())
    return dataclasses.replace(wanted, submission=file_submission(other))
