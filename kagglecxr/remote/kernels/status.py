"""The status and the output files of a kernel on Kaggle."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import atomic_write, write_text
from kagglecxr.core.progress import Reporter
from kagglecxr.remote.client import RetryPolicy, call_with_retry
from kagglecxr.remote.errors import KaggleError, RequestContext, kernel_context

COMPLETE, FAILED, CANCELLED = "complete", "error", "cancel_acknowledged"
ENDED = (COMPLETE, FAILED, CANCELLED)


@dataclass(frozen=True)
class KernelStatus:
    """What the latest version of a kernel is at.

    Attributes:
        kernel: `owner/slug`.
        status: queued, running, complete, error, cancel_requested, cancel_acknowledged or
            new_script.
        failure: Kaggle's reason for an error.
    """

    kernel: str
    status: str
    failure: str

    @property
    def has_ended(self) -> bool:
        """Whether it will come to nothing more."""
        return self.status in ENDED

    def __str__(self) -> str:
        return f"{self.status}: {self.failure}" if self.failure else self.status


def kernel_status(
    kernel: str, reporter: Reporter, patience: RetryPolicy = RetryPolicy()
) -> KernelStatus:
    """Asks what a kernel is at.

    Raises:
        MissingError: no client or no credentials.
        KaggleError: no such kernel, or Kaggle could not be asked.
    """

    def call(api: Any) -> Any:
        # The client's own function makes every refusal one of a wrong name.
        from kagglesdk.kernels.types.kernels_api_service import ApiGetKernelSessionStatusRequest

        request = ApiGetKernelSessionStatusRequest()
        request.user_name, request.kernel_slug = kernel.split("/")
        with api.build_kaggle_client() as client:
            return client.kernels.kernels_api_client.get_kernel_session_status(request)

    answer = call_with_retry(
        kernel_context(kernel, "the status"), call, reporter, patience=patience
    )
    return KernelStatus(kernel, answer.status.name.lower(), answer.failure_message or "")


_PIECE = 2**20
_PAGES = 1000


@dataclass(frozen=True)
class DownloadedOutput:
    """What a kernel left.

    Attributes:
        files: where they are now, with their sizes checked.
        log: what it printed.
    """

    files: list[Path]
    log: Path


def fetch_output(
    kernel: str, folder: Path, reporter: Reporter, patience: RetryPolicy = RetryPolicy()
) -> DownloadedOutput:
    """Fetches all files of a kernel's latest version, and its log.

    A file of the same size is kept: with the same name in the same version it is the same.

    Args:
        kernel: `owner/slug`.
        folder: where the files go.
        reporter: told of each file.
        patience: with too many requests.

    Raises:
        DataError: a file's name leads outside the folder.
        MissingError: no client or no credentials.
        KaggleError: there is no output, or a file did not arrive whole.
    """
    errand = kernel_context(kernel, "the output")
    listed, log = call_with_retry(
        errand, lambda api: _list(api, kernel), reporter, patience=patience
    )
    places = {_inside(folder, name): url for name, url in listed.items()}
    with reporter.bar(f"Fetching {kernel}", len(places)) as bar:
        for path, url in places.items():
            _fetch(url, path, errand, reporter, patience)
            bar.advance()
    log_file = folder / f"{kernel.partition('/')[2]}.log"
    write_text(log_file, log)
    return DownloadedOutput(list(places), log_file)


def _list(api: Any, kernel: str) -> tuple[dict[str, str], str]:
    """The address of every file, and the log; the client's own function stops after a page."""
    from kagglesdk.kernels.types.kernels_api_service import ApiListKernelSessionOutputRequest

    request = ApiListKernelSessionOutputRequest()
    request.user_name, request.kernel_slug = kernel.split("/")
    request.page_size = 200
    found: dict[str, str] = {}
    log = ""
    with api.build_kaggle_client() as client:
        for _ in range(_PAGES):
            page = client.kernels.kernels_api_client.list_kernel_session_output(request)
            found |= {item.file_name: item.url for item in page.files or []}
            log = log or page.log or ""
            if not page.next_page_token:
                return found, log
            request.page_token = page.next_page_token
    return found, log


def _inside(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()) or path == folder:
        raise DataError(
            f"A kernel's output leads outside its folder. Received: {name!r}. Fetch it by hand if "
            "you trust it."
        )
    return path


def _fetch(
    url: str, path: Path, errand: RequestContext, reporter: Reporter, patience: RetryPolicy
) -> None:
    def call(_: Any) -> None:
        with requests.get(url, stream=True, timeout=60.0) as answer:
            answer.raise_for_status()
            size = int(answer.headers.get("Content-Length", -1))
            if path.is_file() and path.stat().st_size == size:
                return
            with atomic_write(path) as beside:
                with beside.open("wb") as stream:
                    for piece in answer.iter_content(_PIECE):
                        stream.write(piece)
                arrived = beside.stat().st_size
                if size not in (-1, arrived):
                    raise KaggleError(
                        f"A file of a kernel did not arrive whole. Received: {arrived} of {size} "
                        f"bytes of {path.name}. Run the same command again."
                    )

    call_with_retry(errand, call, reporter, patience=patience)
