"""Kaggle's datasets as the client sees them: uploads, versions and their status."""

import re
from dataclasses import dataclass, field

from tests.remote.fake_kaggle import (
    FakeKaggle,
    FakeResponse,
    RecordedRequest,
    Responder,
    error_response,
    json_response,
)

SERVICE = "datasets.DatasetApiService/"
STATUS, LOOK_UP = SERVICE + "GetDatasetStatus", SERVICE + "GetDataset"
CREATE, VERSION = SERVICE + "CreateDataset", SERVICE + "CreateDatasetVersion"
BLOB = "blobs.BlobApiService/StartBlobUpload"
UPLOAD = "http://storage.test/upload/"


@dataclass
class Upload:
    """A file on its way."""

    name: str
    size: int
    content: bytes = b""


@dataclass
class FakeDatasets:
    """One dataset and the uploads for it; faults are answered before anything else.

    Attributes:
        fake_kaggle: whose responses these are.
        versions: the files of each.
        uploads: by their number.
        statuses: what is said after each sending, the last one for ever.
        faults: of the upload of a file.
    """

    fake_kaggle: FakeKaggle
    versions: list[dict[str, bytes]] = field(default_factory=list)
    uploads: list[Upload] = field(default_factory=list)
    statuses: list[str] = field(default_factory=lambda: ["READY"])
    faults: dict[str, list[Responder]] = field(default_factory=dict)
    _status: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.answers = {
            STATUS: self.status,
            LOOK_UP: self.look_up,
            CREATE: self.create,
            VERSION: self.version,
            BLOB: self.blob,
        }
        for call in self.answers:
            self.first(call)

    def first(self, call: str, *answers: Responder) -> None:
        """These responses to a call, then the usual ones."""
        self.fake_kaggle.on(call, *answers, self.answers[call])

    def status(self, seen: RecordedRequest) -> FakeResponse:
        if not self.versions:
            return error_response(403, "Permission 'datasets.get' was denied")
        status = self._status.pop(0) if len(self._status) > 1 else self._status[0]
        return json_response({"status": status})

    def look_up(self, seen: RecordedRequest) -> FakeResponse:
        return json_response({"ref": "mary/kit-wheels", "currentVersionNumber": len(self.versions)})

    def create(self, seen: RecordedRequest) -> FakeResponse:
        if self.versions:
            return json_response(
                {"status": "error", "error": "The requested slug is already in use."}
            )
        return self._keep(seen.fields["files"])

    def version(self, seen: RecordedRequest) -> FakeResponse:
        return self._keep(seen.fields["body"]["files"])

    def _keep(self, files: list[dict[str, str]]) -> FakeResponse:
        uploads = [self.uploads[int(file["token"])] for file in files]
        self.versions.append({upload.name: upload.content for upload in uploads})
        self._status = [*self.statuses]
        return json_response(
            {"ref": "mary/kit-wheels", "url": "https://kaggle.test", "status": "Ok"}
        )

    def blob(self, seen: RecordedRequest) -> FakeResponse:
        upload = Upload(seen.fields["name"], seen.fields["contentLength"])
        number = len(self.uploads)
        self.uploads.append(upload)
        address = f"{UPLOAD}{number}"
        self.fake_kaggle.on(address, lambda put: self._put(upload, put))
        return json_response({"token": str(number), "createUrl": f"{address}?upload_id=s1gned"})

    def _put(self, upload: Upload, seen: RecordedRequest) -> FakeResponse:
        faults = self.faults.get(upload.name)
        if faults:
            fault = faults.pop(0)
            return fault if isinstance(fault, FakeResponse) else fault(seen)
        return self._take(upload, seen)

    def received(self, seen: RecordedRequest) -> FakeResponse:
        """The response of a fault that lets the request pass."""
        return self._take(self.uploads[int(seen.call.rpartition("/")[2])], seen)

    def _take(self, upload: Upload, seen: RecordedRequest) -> FakeResponse:
        sent = seen.headers.get("content-range", "")
        if sent.startswith("bytes */"):
            if len(upload.content) == upload.size:
                return FakeResponse(200)
            last = len(upload.content) - 1
            return FakeResponse(308, headers={"Range": f"bytes=0-{last}"} if last >= 0 else {})
        start = int(re.sub(r"bytes (\d+)-.*", r"\1", sent) or 0)
        upload.content = upload.content[:start] + seen.body
        return FakeResponse(200)

    def cut(self, name: str, after: int) -> None:
        """Has the upload of a file break off after some bytes."""

        def cut(seen: RecordedRequest) -> FakeResponse:
            upload = next(each for each in reversed(self.uploads) if each.name == name)
            upload.content = seen.body[:after]
            return FakeResponse(503)

        self.faults[name] = [cut]

    @property
    def puts(self) -> list[RecordedRequest]:
        """All that was sent to storage."""
        return [seen for seen in self.fake_kaggle.requests if seen.method == "PUT"]
