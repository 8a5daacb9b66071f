"""Kaggle's machines on the fake Kaggle: takes kernels, runs them, hands out what they leave."""

from dataclasses import dataclass, field
from typing import Any

from tests.remote.fake_kaggle import (
    FakeKaggle,
    FakeResponse,
    RecordedRequest,
    error_response,
    json_response,
    stored_file,
)

SERVICE = "kernels.KernelsApiService"
SAVE, STATUS, OUTPUT, QUOTA = (
    f"{SERVICE}/{name}"
    for name in (
        "SaveKernel",
        "GetKernelSessionStatus",
        "ListKernelSessionOutput",
        "GetAcceleratorQuotaStatistics",
    )
)


@dataclass
class FakeKernels:
    """What the machines' server remembers.

    Attributes:
        status: of every kernel that runs, by slug; what is not named is COMPLETE.
        failure: the reason of a kernel that ended with an error.
        answer: what a push is answered with besides the usual.
        at_a_time: how many kernels may run.
        files: what every kernel leaves.
        page: how many files there are on a page.
        pushed: the pushes that were taken.
    """

    status: dict[str, str] = field(default_factory=dict)
    failure: str = ""
    answer: dict[str, Any] = field(default_factory=dict)
    at_a_time: int = 100
    files: dict[str, bytes] = field(default_factory=dict)
    page: int = 2
    pushed: list[dict[str, Any]] = field(default_factory=list)
    server: FakeKaggle | None = None

    def serve(self, fake_kaggle: FakeKaggle) -> None:
        """Answers as Kaggle would."""
        self.server = fake_kaggle
        fake_kaggle.on(SAVE, self._save)
        fake_kaggle.on(STATUS, self._status)
        fake_kaggle.on(OUTPUT, self._output)

    def versions(self, slug: str) -> int:
        """How often a kernel was pushed."""
        return sum(one["slug"].endswith(f"/{slug}") for one in self.pushed)

    def _save(self, seen: RecordedRequest) -> FakeResponse:
        fields = seen.fields
        running = [one for one in self.status.values() if one in ("RUNNING", "QUEUED")]
        if len(running) >= self.at_a_time:
            return json_response({"error": "Maximum batch GPU session count of 2 reached."})
        self.pushed.append(fields)
        slug = fields["slug"].partition("/")[2]
        usual = {
            "ref": f"/code/{fields['slug']}",
            "url": f"https://www.kaggle.com/code/{fields['slug']}",
            "versionNumber": self.versions(slug),
        }
        return json_response(usual | self.answer)

    def _status(self, seen: RecordedRequest) -> FakeResponse:
        slug = seen.fields["kernelSlug"]
        if slug not in self.status and not self.versions(slug):
            return error_response(404, "Notebook not found")
        status = self.status.get(slug, "COMPLETE")
        return json_response({"status": status, "failureMessage": self.failure})

    def _output(self, seen: RecordedRequest) -> FakeResponse:
        assert self.server is not None
        names = sorted(self.files)
        start = int(seen.fields.get("pageToken") or 0)
        page = []
        for number, name in enumerate(names[start : start + self.page], start):
            address = f"http://storage.test/{number}"
            self.server.on(address, stored_file(self.files[name]))
            page.append({"fileName": name, "url": f"{address}?X-Goog-Signature=s1gnature"})
        rest = start + self.page < len(names)
        following = {"nextPageToken": str(start + self.page)} if rest else {}
        return json_response({"files": page, "log": "it ran\n", **following})
