"""A submission is sent, its score waited for, and the ledger written at each step."""

from pathlib import Path

import pytest

from kagglecxr.core.errors import SubmissionError
from kagglecxr.leaderboard.kaggle import SubmitResult, describe_result
from kagglecxr.leaderboard.kaggle_scores import LeaderboardRank
from kagglecxr.leaderboard.ledger import LedgerEntry, read_ledger
from kagglecxr.leaderboard.send_once import SubmissionRequest
from tests.leaderboard.kaggle_competition import (
    CREATE,
    GET,
    LEADERBOARD,
    LIMITS,
    SEARCH,
    SLUG,
    START,
    UPLOAD,
    KaggleCompetition,
)
from tests.leaderboard.submitting import another, failure, run
from tests.remote.conftest import KEY
from tests.remote.fake_kaggle import FakeKaggle, FakeResponse, error_response
from tests.remote.recording import FakeClock, RecordingReporter


def test_a_file_is_sent_scored_ranked_and_written_down(
    wanted: SubmissionRequest,
    competition: KaggleCompetition,
    fake_kaggle: FakeKaggle,
) -> None:
    reporter = RecordingReporter()
    result = run(wanted, reporter)
    (entry,) = read_ledger(wanted.ledger)
    assert entry == result.entry
    assert (entry.status, entry.public_score, entry.rank, entry.ref, entry.local_score) == (
        "complete",
        "0.91",
        "3",
        "1000",
        "0.900000",
    )
    content = Path(entry.file).read_bytes()
    assert competition.uploaded == [content]
    sent = next(seen for seen in fake_kaggle.requests if seen.call == CREATE).fields
    assert sent["competitionName"] == SLUG
    assert sent["blobFileTokens"] == "blob"
    assert sent["submissionDescription"] == f"first try [{entry.sha256[:12]}.1]" == entry.message
    assert reporter.notes == [
        f"Sending {entry.file} (3 lines, {len(content)} bytes) to {SLUG} as {entry.message!r}: "
        "5 left today, 0 sent today."
    ]
    assert describe_result(result) == (
        "Public score 0.91, out-of-fold 0.9000\nRank 3 of 4 with the team's best, 0.91"
    )


def test_the_change_since_the_last_one_is_described(
    wanted: SubmissionRequest, competition: KaggleCompetition
) -> None:
    competition.scores = ["0.91", "0.94"]
    run(wanted)
    result = run(another(wanted, "umons-b.csv"))
    assert describe_result(result).splitlines() == [
        "Public score 0.94, out-of-fold 0.9000 (+0.03000 since 2026-03-01T10:00:00+00:00)",
        "Rank 2 of 4 with the team's best, 0.94",
    ]


def test_the_medal_zone_stands_next_to_the_rank() -> None:
    entry = LedgerEntry("t", "umons", "a.csv", "aa", status="complete", public_score="0.91")
    result = SubmitResult(entry, LeaderboardRank(12, 600, "0.91"), None)
    assert describe_result(result).splitlines()[1] == (
        "Rank 12 of 600 with the team's best, 0.91 (silver medal zone)"
    )


def test_a_late_score_is_waited_for_with_growing_pauses(
    wanted: SubmissionRequest, competition: KaggleCompetition, clock: FakeClock
) -> None:
    competition.late = 8
    assert run(wanted).is_scored
    assert clock.slept == pytest.approx(
        [5.0, 7.5, 11.25, 16.875, 25.3125, 37.96875, 56.953125, 60.0]
    )


def test_a_score_that_does_not_come_is_waited_for_by_the_next_call(
    wanted: SubmissionRequest, competition: KaggleCompetition, clock: FakeClock
) -> None:
    competition.late = 10**6
    result = run(wanted)
    assert not result.is_scored
    assert sum(clock.slept) == 600.0
    assert read_ledger(wanted.ledger)[0].status == "pending"
    competition.late = 0
    assert run(wanted).entry.public_score == "0.91"
    assert len(competition.taken) == len(read_ledger(wanted.ledger)) == 1


def test_right_after_sending_kaggle_may_not_know_it(
    wanted: SubmissionRequest, competition: KaggleCompetition, fake_kaggle: FakeKaggle
) -> None:
    unknown = error_response(404)
    fake_kaggle.on(GET, unknown, unknown, competition._get)
    assert run(wanted).is_scored


def test_an_upload_that_storage_refuses_is_begun_anew_and_spends_one_submission(
    wanted: SubmissionRequest, competition: KaggleCompetition, fake_kaggle: FakeKaggle
) -> None:
    fake_kaggle.on(UPLOAD, FakeResponse(403), competition._upload)
    reporter = RecordingReporter()
    assert run(wanted, reporter).is_scored
    assert "The upload to Kaggle broke off" in reporter.notes[1]
    assert [seen.call for seen in fake_kaggle.requests].count(START) == 2
    assert len(competition.taken) == 1


def test_pauses_of_the_upload_are_part_of_the_wait(
    wanted: SubmissionRequest,
    competition: KaggleCompetition,
    fake_kaggle: FakeKaggle,
    clock: FakeClock,
) -> None:
    competition.late = 10**6
    busy = FakeResponse(429, b"", {"Retry-After": "100"})
    fake_kaggle.on(UPLOAD, busy, competition._upload)
    assert not run(wanted).is_scored
    assert clock.slept[0] == 100.0
    assert sum(clock.slept) == 600.0


def test_an_upload_that_storage_never_takes_is_no_submission(
    wanted: SubmissionRequest, competition: KaggleCompetition, fake_kaggle: FakeKaggle
) -> None:
    fake_kaggle.on(UPLOAD, FakeResponse(403))
    assert "nothing was submitted" in failure(wanted)
    assert (competition.taken, read_ledger(wanted.ledger)[0].status) == ([], "refused")


def test_what_kaggle_cannot_score_is_refused_with_its_reason(
    wanted: SubmissionRequest, competition: KaggleCompetition
) -> None:
    competition.error = "Evaluation Exception: ids do not match"
    message = failure(wanted, SubmissionError)
    assert "could not score" in message
    assert "ref 1000 (Evaluation Exception: ids do not match)" in message
    assert read_ledger(wanted.ledger)[0].status == "error"
    assert "submitted before" in failure(wanted, SubmissionError)


@pytest.mark.parametrize("call", [SEARCH, LIMITS, START, CREATE])
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
    wanted: SubmissionRequest,
    competition: KaggleCompetition,
    fake_kaggle: FakeKaggle,
) -> None:
    fake_kaggle.on(call, error_response(status, f"said {KEY}"))
    message = failure(wanted)
    assert wrong in message
    assert advice in message
    assert KEY not in message
    assert "\n" not in message


@pytest.mark.parametrize("call", [SEARCH, LIMITS, START, CREATE, GET, LEADERBOARD])
def test_too_many_requests_are_waited_out(
    call: str,
    wanted: SubmissionRequest,
    competition: KaggleCompetition,
    fake_kaggle: FakeKaggle,
    clock: FakeClock,
) -> None:
    served = fake_kaggle._answers[call][0]
    busy = error_response(429, "slow down")
    fake_kaggle.on(call, FakeResponse(429, busy.body, {"Retry-After": "7"}), busy, served)
    assert run(wanted).entry.rank == "3"
    assert clock.slept[:2] == [7.0, 30.0]
    assert len(competition.taken) == 1


def test_a_score_is_kept_though_the_leaderboard_is_out_of_reach(
    wanted: SubmissionRequest,
    competition: KaggleCompetition,
    fake_kaggle: FakeKaggle,
) -> None:
    reporter = RecordingReporter()
    fake_kaggle.on(LEADERBOARD, error_response(500))
    result = run(wanted, reporter)
    assert read_ledger(wanted.ledger)[0].public_score == "0.91"
    assert "fault of its own" in reporter.notes[-1]
    assert "not on the leaderboard" in describe_result(result)
