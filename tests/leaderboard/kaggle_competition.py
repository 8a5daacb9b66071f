"""A competition on the stand-in: takes submissions, scores them late, ranks them."""

import importlib.util
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.remote.fake_kaggle import (
    FakeKaggle,
    FakeResponse,
    RecordedRequest,
    error_response,
    json_response,
)

SLUG = "covid-19-challenge-umons"
SERVICE = "competitions.CompetitionApiService"
START, CREATE, CREATE_CODE, LIST, LIMITS, LEADERBOARD, SEARCH = (
    f"{SERVICE}/{name}"
    for name in (
        "StartSubmissionUpload",
        "CreateSubmission",
        "CreateCodeSubmission",
        "ListSubmissions",
        "GetSubmissionLimits",
        "GetLeaderboard",
        "ListCompetitions",
    )
)
_CLIENT = importlib.util.find_spec("kaggle")
TELLS_LIMITS = "competition_get_submission_limits" in (
    Path(_CLIENT.submodule_search_locations[0], "api", "kaggle_api_extended.py").read_text()
    if _CLIENT and _CLIENT.submodule_search_locations
    else ""
)
"""Whether the client that is installed can ask how many submissions are left."""
UPLOAD = "http://storage.test/upload"
TEAM = "Mary's team"


@dataclass
class KaggleCompetition:
    """What the competition's server remembers.

    Attributes:
        scores: of the submissions to come, the last one for ever.
        late: how often a submission is listed as pending before it is scored.
        daily: submissions a day.
        today: how many were sent before.
        rivals: the other teams' scores, best first.
        error: why nothing can be scored; empty where all can.
        page: what the search says of the competition besides its address.
    """

    scores: list[str] = field(default_factory=lambda: ["0.91"])
    late: int = 0
    daily: int = 5
    today: int = 0
    rivals: list[str] = field(default_factory=lambda: ["0.95", "0.93", "0.80"])
    error: str = ""
    page: dict[str, Any] = field(default_factory=lambda: {"userHasEntered": True})
    uploaded: list[bytes] = field(default_factory=list)
    taken: list[dict[str, Any]] = field(default_factory=list)
    asked: int = 0

    def serve(self, fake_kaggle: FakeKaggle) -> None:
        """Answers as Kaggle would."""
        fake_kaggle.on(SEARCH, self._search)
        fake_kaggle.on(LIMITS, self._limits)
        fake_kaggle.on(START, json_response({"token": "blob", "createUrl": UPLOAD}))
        fake_kaggle.on(UPLOAD, self._upload)
        fake_kaggle.on(CREATE, self._create)
        fake_kaggle.on(CREATE_CODE, self._create)
        fake_kaggle.on(LIST, self._list)
        fake_kaggle.on(LEADERBOARD, self._board)

    def take(self, description: str) -> int:
        """Takes a submission, as it does when it is called."""
        ref = 1000 + len(self.taken)
        self.taken.append({"ref": ref, "description": description})
        self.asked = 0
        return ref

    def _search(self, seen: RecordedRequest) -> FakeResponse:
        found = {"ref": f"https://www.kaggle.com/competitions/{SLUG}", "maxDailySubmissions": 5}
        other = {"ref": f"https://www.kaggle.com/competitions/{SLUG}-2"}
        return json_response({"competitions": [other, found | self.page]})

    def _limits(self, seen: RecordedRequest) -> FakeResponse:
        sent = self.today + len(self.taken)
        return json_response(
            {"numToday": sent, "numTotal": sent, "numAllowedNow": self.daily - sent}
        )

    def _upload(self, seen: RecordedRequest) -> FakeResponse:
        self.uploaded.append(seen.body)
        return FakeResponse(200)

    def _create(self, seen: RecordedRequest) -> FakeResponse:
        if self.today + len(self.taken) >= self.daily:
            return error_response(400, "Submission not allowed: daily limit reached")
        ref = self.take(seen.fields.get("submissionDescription", ""))
        return json_response({"message": "Successfully submitted", "ref": ref})

    def _list(self, seen: RecordedRequest) -> FakeResponse:
        self.asked += 1
        return json_response(
            {"submissions": [self._told(i) for i in reversed(range(len(self.taken)))]}
        )

    def _told(self, i: int) -> dict[str, Any]:
        is_newest = i == len(self.taken) - 1
        common = {"teamName": TEAM, "date": "2026-03-01T10:00:00Z", **self.taken[i]}
        if is_newest and self.asked <= self.late:
            return common | {"status": "PENDING", "publicScore": ""}
        if self.error:
            return common | {"status": "ERROR", "errorDescription": self.error}
        return common | {"status": "COMPLETE", "publicScore": self._score(i)}

    def _score(self, i: int) -> str:
        return self.scores[min(i, len(self.scores) - 1)]

    def _board(self, seen: RecordedRequest) -> FakeResponse:
        """Two teams a page."""
        mine = max((self._score(i) for i in range(len(self.taken))), default="")
        lines = [(f"team {k}", score) for k, score in enumerate(self.rivals)]
        if mine:
            lines = sorted([*lines, (TEAM, mine)], key=lambda line: -float(line[1]))
        start = int(seen.fields.get("pageToken") or 0)
        page = [{"teamName": name, "score": score} for name, score in lines[start : start + 2]]
        following = {"nextPageToken": str(start + 2)} if start + 2 < len(lines) else {}
        return json_response({"submissions": page, **following})
