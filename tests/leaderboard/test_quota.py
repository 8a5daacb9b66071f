"""What the competition would refuse is not sent."""

import pytest

from kagglecxr.core.errors import SubmissionError
from kagglecxr.leaderboard.ledger import read_ledger
from kagglecxr.leaderboard.send_once import SubmissionRequest
from tests.leaderboard.kaggle_competition import LIMITS, SEARCH, SLUG, KaggleCompetition
from tests.leaderboard.submitting import failure, run
from tests.remote.fake_kaggle import FakeKaggle, json_response
from tests.remote.recording import RecordingReporter


def test_over_the_daily_limit_nothing_is_sent(
    wanted: SubmissionRequest, competition: KaggleCompetition
) -> None:
    for _ in range(5):
        competition.take("by hand")
    message = failure(wanted, SubmissionError)
    assert "daily limit" in message
    assert "after 00:00 UTC, in 14 h 0 min" in message
    assert read_ledger(wanted.ledger) == []
    assert competition.uploaded == []


def test_a_limit_that_kaggle_alone_knows_is_reported(
    wanted: SubmissionRequest,
    competition: KaggleCompetition,
    fake_kaggle: FakeKaggle,
) -> None:
    fake_kaggle.on(LIMITS, json_response({}))
    competition.daily = 0
    assert "daily limit reached" in failure(wanted)
    assert read_ledger(wanted.ledger)[0].status == "refused"


def test_a_team_that_has_sent_nothing_has_the_daily_number_left(
    wanted: SubmissionRequest, competition: KaggleCompetition, fake_kaggle: FakeKaggle
) -> None:
    fake_kaggle.on(LIMITS, json_response({}))
    reporter = RecordingReporter()
    assert run(wanted, reporter).is_scored
    assert reporter.notes[0].endswith(": 5 left today, 0 sent today.")


def test_the_total_number_of_submissions_is_a_limit_too(
    wanted: SubmissionRequest, competition: KaggleCompetition, fake_kaggle: FakeKaggle
) -> None:
    used_up = {"numToday": 1, "numTotal": 9, "numAllowedNow": 0, "limitedByTotal": True}
    fake_kaggle.on(LIMITS, json_response(used_up))
    assert "No submissions are left in this competition" in failure(wanted, SubmissionError)


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
    wanted: SubmissionRequest,
    competition: KaggleCompetition,
) -> None:
    competition.page = page
    with pytest.raises(SubmissionError, match=sentence):
        run(wanted)
    assert (competition.uploaded, read_ledger(wanted.ledger)) == ([], [])


def test_a_competition_that_the_search_does_not_find_is_tried(
    wanted: SubmissionRequest,
    competition: KaggleCompetition,
    fake_kaggle: FakeKaggle,
) -> None:
    fake_kaggle.on(SEARCH, json_response({"competitions": []}))
    assert run(wanted).is_scored
