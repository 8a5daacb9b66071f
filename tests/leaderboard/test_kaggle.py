"""A submission is sent once, its score waited for, and the ledger written at each step."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kagglecxr.core.errors import MissingError, SubmissionError
from kagglecxr.leaderboard.kaggle import (
    SubmissionRequest,
    SubmitContext,
    SubmitResult,
    describe_result,
    submit,
)
from kagglecxr.leaderboard.ledger import LedgerEntry, amend_entry, read_ledger
from kagglecxr.leaderboard.submission import FileSubmission, KernelSubmission
from kagglecxr.remote.client import PollPolicy, RetryPolicy
from kagglecxr.remote.errors import KaggleError
from tests.leaderboard.kaggle_competition import (
    CREATE,
    CREATE_CODE,
    LEADERBOARD,
    LIMITS,
    LIST,
    SEARCH,
    SLUG,
    START,
    TELLS_LIMITS,
    UPLOAD,
    KaggleCompetition,
)
from tests.remote.conftest import KEY
from tests.remote.fake_kaggle import (
    FakeKaggle,
    FakeResponse,
    Responder,
    error_response,
    json_response,
)
from tests.remote.recording import FakeClock, RecordingReporter

ASKED = [SEARCH, *([LIMITS] if TELLS_LIMITS else [])]
"""What is asked before anything is sent; older clients cannot ask for limits."""
CSV = b"id,label\na,normal\nb,covid-19\n"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def reporter() -> RecordingReporter:
    return RecordingReporter()


@pytest.fixture
def around(tmp_path: Path, clock: FakeClock, reporter: RecordingReporter) -> SubmitContext:
    return SubmitContext(
        tmp_path / "submissions" / "ledger.csv",
        clock.now,
        reporter,
        PollPolicy(600.0, sleep=clock.sleep),
        RetryPolicy(100.0, sleep=clock.sleep),
    )


@pytest.fixture
def order(tmp_path: Path) -> SubmissionRequest:
    path = tmp_path / "umons-a.csv"
    path.write_bytes(CSV)
    return SubmissionRequest("umons", SLUG, FileSubmission(path), "first try", "0.900000")


@pytest.fixture
def board(fake_kaggle: FakeKaggle) -> KaggleCompetition:
    board = KaggleCompetition()
    board.serve(fake_kaggle)
    return board


def lines(around: SubmitContext) -> list[LedgerEntry]:
    return read_ledger(around.ledger)


def failure(
    order: SubmissionRequest, around: SubmitContext, kind: type[Exception] = KaggleError
) -> str:
    with pytest.raises(kind) as caught:
        submit(order, around)
    return str(caught.value)


def another(order: SubmissionRequest, name: str) -> SubmissionRequest:
    assert isinstance(order.parcel, FileSubmission)
    path = order.parcel.path.with_name(name)
    path.write_bytes(CSV + name.encode())
    return replace(order, parcel=FileSubmission(path))


def test_a_file_is_sent_scored_ranked_and_written_down(
    order: SubmissionRequest,
    around: SubmitContext,
    board: KaggleCompetition,
    reporter: RecordingReporter,
    fake_kaggle: FakeKaggle,
) -> None:
    outcome = submit(order, around)
    (entry,) = lines(around)
    assert entry == outcome.entry
    assert (entry.status, entry.public_score, entry.rank, entry.ref, entry.local_score) == (
        "complete",
        "0.91",
        "3",
        "1000",
        "0.900000",
    )
    assert board.uploaded == [CSV]
    sent = next(seen for seen in fake_kaggle.seen if seen.call == CREATE).fields
    assert sent["competitionName"] == SLUG
    assert sent["blobFileTokens"] == "blob"
    assert sent["submissionDescription"] == f"first try [{entry.sha256[:12]}.1]" == entry.message
    assert reporter.notes == [
        f"Sending {entry.file} (3 lines, {len(CSV)} bytes) to {SLUG} as {entry.message!r}: "
        "5 left today, 0 sent today."
    ]
    assert describe_result(outcome) == (
        "Public score 0.91, out-of-fold 0.9000\nRank 3 of 4 with the team's best, 0.91"
    )


def test_the_change_since_the_last_one_is_told(
    order: SubmissionRequest, around: SubmitContext, board: KaggleCompetition
) -> None:
    board.scores = ["0.91", "0.94"]
    submit(order, around)
    outcome = submit(another(order, "umons-b.csv"), around)
    assert describe_result(outcome).splitlines() == [
        "Public score 0.94, out-of-fold 0.9000 (+0.03000 since 2026-03-01T10:00:00+00:00)",
        "Rank 2 of 4 with the team's best, 0.94",
    ]


def test_a_late_score_is_waited_for_with_growing_pauses(
    order: SubmissionRequest, around: SubmitContext, board: KaggleCompetition, clock: FakeClock
) -> None:
    board.late = 8
    assert submit(order, around).is_scored
    assert clock.slept == pytest.approx(
        [5.0, 7.5, 11.25, 16.875, 25.3125, 37.96875, 56.953125, 60.0]
    )


def test_a_score_that_does_not_come_is_waited_for_by_the_next_call(
    order: SubmissionRequest, around: SubmitContext, board: KaggleCompetition, clock: FakeClock
) -> None:
    board.late = 10**6
    outcome = submit(order, around)
    assert not outcome.is_scored
    assert sum(clock.slept) == 600.0
    assert lines(around)[0].status == "pending"
    board.late = 0
    assert submit(order, around).entry.public_score == "0.91"
    assert len(board.taken) == len(lines(around)) == 1


@pytest.mark.parametrize("answer", [error_response(404), json_response({"submissions": []})])
def test_right_after_sending_it_may_not_be_listed(
    answer: Responder,
    order: SubmissionRequest,
    around: SubmitContext,
    board: KaggleCompetition,
    fake_kaggle: FakeKaggle,
) -> None:
    fake_kaggle.on(LIST, answer, answer, board._list)
    assert submit(order, around).is_scored


def test_what_kaggle_cannot_score_is_told_with_its_reason(
    order: SubmissionRequest, around: SubmitContext, board: KaggleCompetition
) -> None:
    board.error = "Evaluation Exception: ids do not match"
    message = failure(order, around, SubmissionError)
    assert "could not score" in message
    assert "ref 1000 (Evaluation Exception: ids do not match)" in message
    assert lines(around)[0].status == "error"
    assert "submitted before" in failure(order, around, SubmissionError)


def test_the_same_file_is_not_sent_twice_unless_asked(
    order: SubmissionRequest, around: SubmitContext, board: KaggleCompetition
) -> None:
    submit(order, around)
    message = failure(order, around, SubmissionError)
    assert "submitted before" in message
    assert "public score 0.91" in message
    assert "--again" in message
    submit(replace(order, again=True), around)
    assert [entry.message[-3:] for entry in lines(around)] == [".1]", ".2]"]
    assert len(board.taken) == 2


def test_the_same_file_of_another_competition_is_another_submission(
    order: SubmissionRequest, around: SubmitContext, board: KaggleCompetition
) -> None:
    submit(order, around)
    submit(replace(order, competition="umons-2"), around)
    assert len(board.taken) == 2


def interrupted(at: Callable[[], None]) -> Callable[[float], None]:
    def sleep(_: float) -> None:
        at()

    return sleep


@pytest.mark.parametrize("call", [*ASKED, START, UPLOAD, CREATE, LIST, LEADERBOARD])
@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
def test_a_crash_at_any_call_loses_nothing_and_sends_nothing_twice(
    call: str,
    is_done: bool,
    order: SubmissionRequest,
    around: SubmitContext,
    board: KaggleCompetition,
    fake_kaggle: FakeKaggle,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Crash(BaseException):
        pass

    import requests

    send = requests.Session.send
    armed = [True]

    def crashing(session: requests.Session, request: requests.PreparedRequest, **options):  # type: ignore[no-untyped-def]
        is_it = armed[0] and (request.url or "").endswith(call)
        if is_it and not is_done:
            armed.clear()
            armed.append(False)
            raise Crash
        answer = send(session, request, **options)
        if is_it:
            armed[0] = False
            raise Crash
        return answer

    monkeypatch.setattr(requests.Session, "send", crashing)
    with pytest.raises(Crash):
        submit(order, around)
    outcome = submit(order, around)
    assert outcome.entry.public_score == "0.91"
    assert len(board.taken) == 1
    assert lines(around) == [outcome.entry]


def test_what_arrived_late_after_a_crash_is_found_and_not_sent_again(
    order: SubmissionRequest,
    around: SubmitContext,
    board: KaggleCompetition,
    fake_kaggle: FakeKaggle,
    clock: FakeClock,
) -> None:
    fake_kaggle.on(CREATE, error_response(500, "no answer"))
    assert "fault of its own" in failure(order, around)
    (entry,) = lines(around)
    assert entry.status == "sending"
    board.serve(fake_kaggle)
    fake_kaggle.on(LIST, json_response({"submissions": []}), board._list)
    board.take(entry.message)
    assert submit(order, around).is_scored
    assert len(board.taken) == 1
    assert clock.slept == [15.0]


def test_what_never_arrived_is_sent_again_on_the_same_line(
    order: SubmissionRequest,
    around: SubmitContext,
    board: KaggleCompetition,
    fake_kaggle: FakeKaggle,
) -> None:
    fake_kaggle.on(CREATE, error_response(500, "no answer"))
    failure(order, around)
    board.serve(fake_kaggle)
    assert submit(order, around).is_scored
    assert len(lines(around)) == len(board.taken) == 1


def test_an_upload_that_breaks_is_no_success(
    order: SubmissionRequest,
    around: SubmitContext,
    board: KaggleCompetition,
    fake_kaggle: FakeKaggle,
) -> None:
    fake_kaggle.on(UPLOAD, FakeResponse(500))
    assert "broke off" in failure(order, around)
    assert board.taken == []
    assert lines(around)[0].status == "refused"
    board.serve(fake_kaggle)
    assert submit(order, around).is_scored


def test_over_the_daily_limit_nothing_is_sent(
    order: SubmissionRequest, around: SubmitContext, board: KaggleCompetition
) -> None:
    for _ in range(5):
        board.take("by hand")
    message = failure(order, around, SubmissionError)
    assert "daily limit" in message
    assert "after 00:00 UTC, in 14 h 0 min" in message
    assert lines(around) == []
    assert board.uploaded == []


def test_older_clients_count_the_submissions_of_the_day(
    order: SubmissionRequest,
    around: SubmitContext,
    board: KaggleCompetition,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from kaggle.api.kaggle_api_extended import KaggleApi

    if hasattr(KaggleApi, "competition_get_submission_limits"):
        monkeypatch.delattr(KaggleApi, "competition_get_submission_limits")
    for _ in range(4):
        board.take("by hand")
    submit(order, around)
    other = another(order, "umons-b.csv")
    assert "daily limit" in failure(other, around, SubmissionError)
    # The stand-in dates all of them on the first of March.
    clock.sleep(24 * 3600)
    board.daily = 10
    assert submit(other, around).is_scored


def test_a_limit_that_kaggle_alone_knows_is_told(
    order: SubmissionRequest,
    around: SubmitContext,
    board: KaggleCompetition,
    fake_kaggle: FakeKaggle,
) -> None:
    fake_kaggle.on(LIMITS, json_response({}))
    board.daily = 0
    assert "daily limit reached" in failure(order, around)
    assert lines(around)[0].status == "refused"


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        ({"userHasEntered": False}, f"not joined.*competitions/{SLUG}/rules"),
        ({"userHasEntered": True, "submissionsDisabled": True}, "takes no submissions"),
        (
            {"userHasEntered": True, "isKernelsSubmissionsOnly": True},
            "takes kernels, no files.*--kernel",
        ),
    ],
)
def test_what_the_competition_does_not_take_is_not_sent(
    page: dict[str, bool],
    sentence: str,
    order: SubmissionRequest,
    around: SubmitContext,
    board: KaggleCompetition,
) -> None:
    board.page = page
    with pytest.raises(SubmissionError, match=sentence):
        submit(order, around)
    assert (board.uploaded, lines(around)) == ([], [])


def test_a_competition_that_the_search_does_not_find_is_tried(
    order: SubmissionRequest,
    around: SubmitContext,
    board: KaggleCompetition,
    fake_kaggle: FakeKaggle,
) -> None:
    fake_kaggle.on(SEARCH, json_response({"competitions": []}))
    assert submit(order, around).is_scored


@pytest.mark.parametrize("call", [*ASKED, START, CREATE])
@pytest.mark.parametrize(
    ("status", "wrong", "advice"),
    [
        (401, "does not accept the credentials", "Make a new token"),
        (403, "refuses access", f"competitions/{SLUG}/rules"),
        (404, "does not know", "Check the slug"),
        (500, "fault of its own", "some minutes"),
    ],
)
def test_each_refusal_is_one_sentence(
    call: str,
    status: int,
    wrong: str,
    advice: str,
    order: SubmissionRequest,
    around: SubmitContext,
    board: KaggleCompetition,
    fake_kaggle: FakeKaggle,
) -> None:
    fake_kaggle.on(call, error_response(status, f"said {KEY}"))
    message = failure(order, around)
    assert wrong in message
    assert advice in message
    assert KEY not in message
    assert "\n" not in message


@pytest.mark.parametrize("call", [SEARCH, START, CREATE, LIST, LEADERBOARD])
def test_too_many_requests_are_waited_out(
    call: str,
    order: SubmissionRequest,
    around: SubmitContext,
    board: KaggleCompetition,
    fake_kaggle: FakeKaggle,
    clock: FakeClock,
) -> None:
    served = fake_kaggle._answers[call][0]
    busy = error_response(429, "slow down")
    fake_kaggle.on(call, FakeResponse(429, busy.body, {"Retry-After": "7"}), busy, served)
    assert submit(order, around).entry.rank == "3"
    assert clock.slept[:2] == [7.0, 30.0]
    assert len(board.taken) == 1


def test_a_score_is_kept_though_the_leaderboard_is_out_of_reach(
    order: SubmissionRequest,
    around: SubmitContext,
    board: KaggleCompetition,
    fake_kaggle: FakeKaggle,
    reporter: RecordingReporter,
) -> None:
    fake_kaggle.on(LEADERBOARD, error_response(500))
    outcome = submit(order, around)
    assert lines(around)[0].public_score == "0.91"
    assert "fault of its own" in reporter.notes[-1]
    assert "not on the leaderboard" in describe_result(outcome)


def test_without_credentials_nothing_is_written(
    order: SubmissionRequest,
    around: SubmitContext,
    board: KaggleCompetition,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("KAGGLE_KEY")
    assert "no Kaggle credentials" in failure(order, around, MissingError)
    assert lines(around) == []


def test_no_credentials_get_into_the_ledger(
    order: SubmissionRequest, around: SubmitContext, board: KaggleCompetition
) -> None:
    submit(order, around)
    assert KEY not in around.ledger.read_text()


def test_a_version_of_a_kernel_is_submitted(
    order: SubmissionRequest,
    around: SubmitContext,
    board: KaggleCompetition,
    fake_kaggle: FakeKaggle,
) -> None:
    board.page = {"userHasEntered": True, "isKernelsSubmissionsOnly": True}
    parcel = KernelSubmission("mary/umons-submit", 3)
    outcome: SubmitResult = submit(replace(order, parcel=parcel), around)
    sent = next(seen for seen in fake_kaggle.seen if seen.call == CREATE_CODE).fields
    assert (sent["kernelOwner"], sent["kernelSlug"], sent["kernelVersion"], sent["fileName"]) == (
        "mary",
        "umons-submit",
        3,
        "submission.csv",
    )
    assert outcome.entry.file == "mary/umons-submit/3/submission.csv"
    assert outcome.is_scored
    failure(replace(order, parcel=parcel), around, SubmissionError)
    submit(replace(order, parcel=KernelSubmission("mary/umons-submit", 4)), around)


def test_a_line_being_amended_leaves_those_of_others_alone(
    order: SubmissionRequest, around: SubmitContext, board: KaggleCompetition
) -> None:
    first = submit(order, around).entry
    second = submit(another(order, "umons-b.csv"), around).entry
    amended = amend_entry(around.ledger, first, private_score="0.5")
    assert lines(around) == [amended, second]
