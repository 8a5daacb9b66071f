"""A submission is sent once, whatever ends the process."""

from dataclasses import replace

import pytest

from kagglecxr.core.errors import MissingError, SubmissionError
from kagglecxr.leaderboard.ledger import amend_entry, read_ledger
from kagglecxr.leaderboard.send_once import SubmissionRequest
from kagglecxr.leaderboard.submission import kernel_submission
from tests.leaderboard.kaggle_competition import (
    CREATE,
    CREATE_CODE,
    GET,
    LEADERBOARD,
    LEADERBOARD_FILE,
    LIMITS,
    LIST,
    SEARCH,
    START,
    UPLOAD,
    KaggleCompetition,
)
from tests.leaderboard.submitting import another, failure, run
from tests.remote.conftest import KEY
from tests.remote.fake_kaggle import FakeKaggle, FakeResponse, error_response, json_response
from tests.remote.recording import FakeClock


def test_the_same_file_is_sent_twice_only_with_again(
    wanted: SubmissionRequest, competition: KaggleCompetition
) -> None:
    run(wanted)
    message = failure(wanted, SubmissionError)
    assert "submitted before" in message
    assert "public score 0.91" in message
    assert "--again" in message
    run(replace(wanted, again=True))
    assert [entry.message[-3:] for entry in read_ledger(wanted.ledger)] == [".1]", ".2]"]
    assert len(competition.taken) == 2


def test_the_same_file_of_another_competition_is_another_submission(
    wanted: SubmissionRequest, competition: KaggleCompetition
) -> None:
    run(wanted)
    run(replace(wanted, competition="umons-2"))
    assert len(competition.taken) == 2


@pytest.mark.parametrize(
    "call", [SEARCH, LIMITS, START, UPLOAD, CREATE, GET, LEADERBOARD, LEADERBOARD_FILE]
)
@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
def test_a_crash_at_any_call_loses_nothing_and_sends_nothing_twice(
    call: str,
    is_done: bool,
    wanted: SubmissionRequest,
    competition: KaggleCompetition,
    fake_kaggle: FakeKaggle,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Crash(BaseException):
        pass

    import requests

    send = requests.Session.send
    is_armed = [True]

    def crashing(session: requests.Session, request: requests.PreparedRequest, **options):  # type: ignore[no-untyped-def]
        is_it = is_armed[0] and (request.url or "").endswith(call)
        if is_it and not is_done:
            is_armed[0] = False
            raise Crash
        response = send(session, request, **options)
        if is_it:
            is_armed[0] = False
            raise Crash
        return response

    monkeypatch.setattr(requests.Session, "send", crashing)
    with pytest.raises(Crash):
        run(wanted)
    result = run(wanted)
    assert result.entry.public_score == "0.91"
    assert len(competition.taken) == 1
    assert read_ledger(wanted.ledger) == [result.entry]


def test_what_arrived_late_after_a_crash_is_found_and_not_sent_again(
    wanted: SubmissionRequest,
    competition: KaggleCompetition,
    fake_kaggle: FakeKaggle,
    clock: FakeClock,
) -> None:
    fake_kaggle.on(CREATE, error_response(500, "no answer"))
    assert "fault of its own" in failure(wanted)
    (entry,) = read_ledger(wanted.ledger)
    assert entry.status == "sending"
    competition.serve(fake_kaggle)
    fake_kaggle.on(LIST, json_response({"submissions": []}), competition._list)
    competition.take(entry.message)
    assert run(wanted).is_scored
    assert len(competition.taken) == 1
    assert clock.slept == [5.0]


def test_what_never_arrived_is_sent_again_on_the_same_line(
    wanted: SubmissionRequest,
    competition: KaggleCompetition,
    fake_kaggle: FakeKaggle,
) -> None:
    fake_kaggle.on(CREATE, error_response(500, "no answer"))
    failure(wanted)
    competition.serve(fake_kaggle)
    assert run(wanted).is_scored
    assert len(read_ledger(wanted.ledger)) == len(competition.taken) == 1


def test_an_upload_that_breaks_is_no_success(
    wanted: SubmissionRequest,
    competition: KaggleCompetition,
    fake_kaggle: FakeKaggle,
) -> None:
    fake_kaggle.on(UPLOAD, FakeResponse(500))
    assert "broke off" in failure(wanted)
    assert competition.taken == []
    assert read_ledger(wanted.ledger)[0].status == "refused"
    competition.serve(fake_kaggle)
    assert run(wanted).is_scored


def test_without_credentials_nothing_is_written(
    wanted: SubmissionRequest,
    competition: KaggleCompetition,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("KAGGLE_KEY")
    assert "no Kaggle credentials" in failure(wanted, MissingError)
    assert read_ledger(wanted.ledger) == []


def test_no_credentials_get_into_the_ledger(
    wanted: SubmissionRequest, competition: KaggleCompetition
) -> None:
    run(wanted)
    assert KEY not in wanted.ledger.read_text()


def test_a_version_of_a_kernel_is_submitted(
    wanted: SubmissionRequest,
    competition: KaggleCompetition,
    fake_kaggle: FakeKaggle,
) -> None:
    competition.page = {"userHasEntered": True, "isKernelsSubmissionsOnly": True}
    submission = kernel_submission("mary/umons-submit", 3)
    result = run(replace(wanted, submission=submission))
    sent = next(seen for seen in fake_kaggle.requests if seen.call == CREATE_CODE).fields
    assert (sent["kernelOwner"], sent["kernelSlug"], sent["kernelVersion"], sent["fileName"]) == (
        "mary",
        "umons-submit",
        3,
        "submission.csv",
    )
    assert result.entry.file == "mary/umons-submit/3/submission.csv"
    assert result.is_scored
    failure(replace(wanted, submission=submission), SubmissionError)
    run(replace(wanted, submission=kernel_submission("mary/umons-submit", 4)))


def test_a_line_being_amended_leaves_those_of_others_alone(
    wanted: SubmissionRequest, competition: KaggleCompetition
) -> None:
    first = run(wanted).entry
    second = run(another(wanted, "umons-b.csv")).entry
    amended = amend_entry(wanted.ledger, first, private_score="0.5")
    assert read_ledger(wanted.ledger) == [amended, second]
