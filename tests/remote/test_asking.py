"""Too many requests are waited out, as long as Kaggle says, and not for ever."""

import pytest

from kagglecxr.remote.client import RetryPolicy, call_with_retry
from kagglecxr.remote.errors import KaggleError, RequestContext
from tests.remote.fake_kaggle import FakeKaggle, FakeResponse, error_response, json_response
from tests.remote.recording import RecordingReporter

CONTEXT = RequestContext("the thing", "Accept its rules.", "Check its name.", "Attach it.")
LOOK_UP = "models.ModelApiService/GetModelInstance"


def too_many(after: str | None = None) -> FakeResponse:
    answer = error_response(429, "slow down")
    return answer if after is None else FakeResponse(429, answer.body, {"Retry-After": after})


def version(reporter: RecordingReporter, slept: list[float], most: float = 100.0) -> int:
    found: int = call_with_retry(
        CONTEXT,
        lambda api: api.model_instance_get("mary/densenet/keras/small").version_number,
        reporter,
        patience=RetryPolicy(most, sleep=slept.append),
    )
    return found


def test_a_pause_is_as_long_as_kaggle_says_and_told(fake_kaggle: FakeKaggle) -> None:
    fake_kaggle.on(LOOK_UP, too_many("7"), too_many("9"), json_response({"versionNumber": 3}))
    reporter, slept = RecordingReporter(), []
    assert version(reporter, slept) == 3
    assert slept == [7.0, 9.0]
    assert "too many requests for the thing; asking again in 7 s" in reporter.notes[0]


@pytest.mark.parametrize("after", [None, "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_without_a_number_of_seconds_pauses_grow_until_patience_ends(
    after: str | None, fake_kaggle: FakeKaggle
) -> None:
    fake_kaggle.on(LOOK_UP, too_many(after))
    slept: list[float] = []
    with pytest.raises(KaggleError, match=r"too many requests\. Received: 429"):
        version(RecordingReporter(), slept)
    assert slept == [15.0, 30.0]
    assert len(fake_kaggle.seen) == 3


def test_a_pause_longer_than_patience_is_not_begun(fake_kaggle: FakeKaggle) -> None:
    fake_kaggle.on(LOOK_UP, too_many("3600"))
    slept: list[float] = []
    with pytest.raises(KaggleError, match="429"):
        version(RecordingReporter(), slept)
    assert slept == []


def test_any_other_refusal_is_told_at_once(fake_kaggle: FakeKaggle) -> None:
    fake_kaggle.on(LOOK_UP, error_response(503, "busy"))
    slept: list[float] = []
    with pytest.raises(KaggleError, match="503") as caught:
        version(RecordingReporter(), slept)
    assert (slept, caught.value.status, caught.value.retry_after) == ([], 503, None)
