"""A competition on the fake Kaggle: accepts submissions, scores them late, ranks them."""

import csv
import io
import zipfile
from dataclasses import dataclass, field
from typing import Any

from tests.remote.fake_kaggle import (
    FakeKaggle,
    FakeResponse,
    RecordedRequest,
    error_response,
    json_response,
    redirect_response,
)

SLUG = "covid-19-challenge-umons"
SERVICE = "competitions.CompetitionApiService"
START, CREATE, CREATE_CODE, LIST, GET, LIMITS, LEADERBOARD, SEARCH = (
    f"{SERVICE}/{name}"
    for name in (
        "StartSubmissionUpload",
        "CreateSubmission",
        "CreateCodeSubmission",
        "ListSubmissions",
        "GetSubmission",
        "GetSubmissionLimits",
        "DownloadLeaderboard",
        "ListCompetitions",
    )
)
UPLOAD = "http://storage.test/upload"
LEADERBOARD_FILE = "http://storage.test/leaderboard.zip"
TEAM = "Mary's team"


@dataclass
class KaggleCompetition:
    """What the competition's server remembers.

    Attributes:
        scores: of the submissions to come, the last one for ever.
        late: how often a submission is pending before it is scored.
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
    polls: int = 0

    def serve(self, fake_kaggle: FakeKaggle) -> None:
        """Answers as Kaggle would."""
        fake_kaggle.on(SEARCH, self._search)
        fake_kaggle.on(LIMITS, self._limits)
        fake_kaggle.on(START, json_response({"token": "blob", "createUrl": UPLOAD}))
        fake_kaggle.on(UPLOAD, self._upload)
        fake_kaggle.on(CREATE, self._create)
        fake_kaggle.on(CREATE_CODE, self._create)
        fake_kaggle.on(LIST, self._list)
        fake_kaggle.on(GET, self._get)
        fake_kaggle.on(LEADERBOARD, redirect_response(LEADERBOARD_FILE))
        fake_kaggle.on(LEADERBOARD_FILE, self._leaderboard)

    def take(self, description: str) -> int:
        """Takes a submission, as it does when it is called."""
        ref = 1000 + len(self.taken)
        self.taken.append({"ref": ref, "description": description})
        self.polls = 0
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
        return json_response({"submissions": self.taken[::-1]})

    def _get(self, seen: RecordedRequest) -> FakeResponse:
        self.polls += 1
        number = seen.fields["ref"] - 1000
        common = {"teamName": TEAM, "date": "2026-03-01T10:00:00Z", **self.taken[number]}
        if self.polls <= self.late:
            return json_response(common | {"status": "PENDING", "publicScore": ""})
        if self.error:
            return json_response(common | {"status": "ERROR", "errorDescription": self.error})
        return json_response(common | {"status": "COMPLETE", "publicScore": self._score(number)})

    def _score(self, number: int) -> str:
        return self.scores[min(number, len(self.scores) - 1)]

    def _leaderboard(self, seen: RecordedRequest) -> FakeResponse:
        """As Kaggle writes it: the host's benchmark first, with rank 0."""
        teams = [(f"team {k}", score) for k, score in enumerate(self.rivals)]
        if self.taken:
            teams.append((TEAM, max(self._score(i) for i in range(len(self.taken)))))
        teams.sort(key=lambda team: -float(team[1]))
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["Rank", "TeamId", "TeamName", "LastSubmissionDate", "Score"])
        writer.writerow([0, 99, "benchmark", "2026-01-01 00:00:00", "0.99"])
        for rank, (name, score) in enumerate(teams, start=1):
            writer.writerow([rank, rank, name, "2026-03-01 10:00:00", score])
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr(f"{SLUG}-publicleaderboard.csv", text.getvalue().encode("utf-8-sig"))
        return FakeResponse(200, content.getvalue())
