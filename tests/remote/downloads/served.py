"""A competition's data and a dataset's on the stand-in, and the real client's way to it."""

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

from tests.remote.stand_in import (
    Answer,
    Seen,
    StandIn,
    in_pieces,
    redirected,
    stored,
    told,
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


def listed(
    sizes: Mapping[str, int], field_name: str = "files", a_page: int = 1000
) -> Callable[[Seen], Answer]:
    """A list of files, page by page."""
    names = list(sizes)

    def answer(seen: Seen) -> Answer:
        start = int(seen.fields.get("pageToken") or 0)
        end = start + min(a_page, seen.fields["pageSize"])
        files = [{"name": name, "totalBytes": sizes[name]} for name in names[start:end]]
        return told({field_name: files} | ({"nextPageToken": str(end)} if end < len(names) else {}))

    return answer


def signed(address: str) -> Answer:
    """Where a file lies, with a permission in it."""
    return redirected(f"{address}?X-Goog-Signature=s1gnature")


def serve(stand_in: StandIn, files: Mapping[str, bytes], archive: bytes | None = None) -> None:
    """Puts the data of a competition and of a dataset on the stand-in."""
    sizes = {name: len(content) for name, content in files.items()}
    stand_in.on(LIST, listed(sizes))
    stand_in.on(LIST_OF_DATASET, listed(sizes, "datasetFiles"))
    for call in (ALL, OF_DATASET):
        stand_in.on(call, signed(ARCHIVE))
    stand_in.on(ARCHIVE, stored(zipped(files) if archive is None else archive))


def surroundings(home: Path, stand_in: StandIn) -> dict[str, str]:
    """The environment in which a process of its own finds the stand-in, and nothing else."""
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
        **dict.fromkeys(proxies, stand_in.address),
    }


def files_under(folder: Path) -> dict[str, bytes]:
    """What is in a folder, by names below it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@dataclass
class Killing:
    """Runs the verb against the stand-in, and kills it when so many bytes have been sent."""

    words: list[str]
    cwd: Path
    environment: Mapping[str, str]
    sent: int = 0
    goes: list[int] = field(default_factory=list)
    _process: subprocess.Popen[bytes] | None = None
    _mark: float = float("inf")

    def store(self, content: bytes) -> Callable[[Seen], Answer]:
        """The file, whose bytes are counted."""
        return in_pieces(stored(content), self._count)

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
