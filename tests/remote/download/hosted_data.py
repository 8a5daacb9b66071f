"""A competition's data and a dataset's on the fake Kaggle, and the real client's way to it."""

import io
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.remote.fake_kaggle import (
    FakeKaggle,
    FakeResponse,
    RecordedRequest,
    json_response,
    redirect_response,
    sent_in_chunks,
    stored_file,
)

COMPETITION = "competitions.CompetitionApiService/"
DATASET = "datasets.DatasetApiService/"
LIST, LIST_OF_DATASET = f"{COMPETITION}ListDataFiles", f"{DATASET}ListDatasetFiles"
ALL, ONE = f"{COMPETITION}DownloadDataFiles", f"{COMPETITION}DownloadDataFile"
OF_DATASET = f"{DATASET}DownloadDataset"
ARCHIVE = "http://storage.test/data/archive.zip"
SLUG = "covid-19-challenge-umons"
MODIFIED = "Wed, 18 Nov 2026 10:00:00 GMT"


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """An archive as Kaggle packs data."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def random_files(count: int, size: int, seed: int = 0) -> dict[str, bytes]:
    """Files of bytes that no packing shortens."""
    random = Random(seed)
    return {f"train/normal/{number:05}.bin": random.randbytes(size) for number in range(count)}


def listing_response(
    sizes: Mapping[str, int], field_name: str = "files", a_page: int = 1000
) -> Callable[[RecordedRequest], FakeResponse]:
    """A list of files, page by page."""
    names = list(sizes)

    def answer(seen: RecordedRequest) -> FakeResponse:
        start = int(seen.fields.get("pageToken") or 0)
        end = start + min(a_page, seen.fields["pageSize"])
        files = [{"name": name, "totalBytes": sizes[name]} for name in names[start:end]]
        return json_response(
            {field_name: files} | ({"nextPageToken": str(end)} if end < len(names) else {})
        )

    return answer


def signed_redirect(address: str) -> FakeResponse:
    """Where a file lies, with a permission in it."""
    return redirect_response(f"{address}?X-Goog-Signature=s1gnature")


def host_files(
    fake_kaggle: FakeKaggle, files: Mapping[str, bytes], archive: bytes | None = None
) -> None:
    """Puts the data of a competition and of a dataset on the fake Kaggle."""
    sizes = {name: len(content) for name, content in files.items()}
    fake_kaggle.on(LIST, listing_response(sizes))
    fake_kaggle.on(LIST_OF_DATASET, listing_response(sizes, "datasetFiles"))
    for call in (ALL, OF_DATASET):
        fake_kaggle.on(call, signed_redirect(ARCHIVE))
    fake_kaggle.on(ARCHIVE, stored_file(zipped(files) if archive is None else archive))


def client_environment(home: Path, fake_kaggle: FakeKaggle) -> dict[str, str]:
    """The environment in which a process of its own finds the fake Kaggle, and nothing else."""
    proxies = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
    return {
        "HOME": str(home),
        "KAGGLE_CONFIG_DIR": str(home / "kaggle"),
        "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
        "KAGGLE_API_TOKEN": "",
        "KAGGLE_USERNAME": "mary",
        "KAGGLE_KEY": "k3y-of-mary",
        "NO_PROXY": "",
        "no_proxy": "",
        **dict.fromkeys(proxies, fake_kaggle.address),
    }


def files_under(folder: Path) -> dict[str, bytes]:
    """What is in a folder, by names below it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@dataclass
class KilledDownloads:
    """Runs the verb against the fake Kaggle, and kills it when so many bytes have been sent."""

    words: list[str]
    cwd: Path
    environment: Mapping[str, str]
    sent: int = 0
    goes: list[int] = field(default_factory=list)
    _process: subprocess.Popen[bytes] | None = None
    _mark: float = float("inf")

    def store(self, content: bytes) -> Callable[[RecordedRequest], FakeResponse]:
        """The file, whose bytes are counted."""
        return sent_in_chunks(stored_file(content), self._count)

    def _count(self, size: int) -> None:
        self.sent += size
        if self.sent >= self._mark and self._process is not None:
            self._process.send_signal(signal.SIGKILL)

    def go(self, most: float = float("inf")) -> int:
        """One go, killed after `most` more bytes; its exit status, negative when killed."""
        before = self.sent
        self._mark = self.sent + most
        self._process = subprocess.Popen(
            [sys.executable, "-m", "kagglecxr.download", *self.words],
            cwd=self.cwd,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._process.communicate(timeout=600)
        self.goes.append(self.sent - before)
        return self._process.returncode
