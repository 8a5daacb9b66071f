"""The status, the log and the output files of a kernel on Kaggle."""

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kagglecxr.core.errors import DataError
from kagglecxr.core.progress import Reporter
from kagglecxr.remote.client import call_with_retry
from kagglecxr.remote.errors import KaggleError, kernel_context

COMPLETE = "complete"
_ENDED = (COMPLETE, "error", "cancel_acknowledged")


@dataclass(frozen=True)
class KernelStatus:
    """The status of a kernel's latest version.

    Attributes:
        kernel: `owner/slug`.
        status: queued, running, complete, error, cancel_requested, cancel_acknowledged, new_script.
        failure: Kaggle's reason for an error.
    """

    kernel: str
    status: str
    failure: str

    @property
    def has_ended(self) -> bool:
        """Whether it has stopped running."""
        return self.status in _ENDED

    def __str__(self) -> str:
        return f"{self.status}: {self.failure}" if self.failure else self.status


def kernel_status(kernel: str, reporter: Reporter) -> KernelStatus:
    """Asks Kaggle for the status of a kernel, `owner/slug`.

    Raises:
        MissingError: no client or no credentials.
        KaggleError: no such kernel, or Kaggle did not respond.
    """

    def call(api: Any) -> Any:
        # The client's own function reports every refusal as a wrong name.
        from kagglesdk.kernels.types.kernels_api_service import ApiGetKernelSessionStatusRequest

        request = ApiGetKernelSessionStatusRequest()
        request.user_name, request.kernel_slug = kernel.split("/")
        with api.build_kaggle_client() as client:
            return client.kernels.kernels_api_client.get_kernel_session_status(request)

    response = call_with_retry(kernel_context(kernel, "the status"), call, reporter)
    return KernelStatus(kernel, response.status.name.lower(), response.failure_message or "")


def log_tail(kernel: str, reporter: Reporter, lines: int = 10) -> list[str]:
    """The last lines of a kernel's log; none if there is no log yet."""
    try:
        log: str = call_with_retry(
            kernel_context(kernel, "the log"), lambda api: api.kernels_logs(kernel), reporter
        )
    except KaggleError:
        return []
    with contextlib.suppress(ValueError, TypeError, KeyError):
        # Kaggle keeps it as a JSON list of what was printed, with time and stream.
        log = "".join(entry["data"] for entry in json.loads(log))
    return [line for line in log.splitlines() if line.strip()][-lines:]


def fetch_output(kernel: str, folder: Path, reporter: Reporter) -> list[Path]:
    """Downloads all files that a kernel's latest version left, and its log.

    Files of an earlier call that have not changed are kept.

    Raises:
        DataError: a file's name leads outside the folder.
        MissingError: no client or no credentials.
        KaggleError: there is no output, or a file arrived incomplete.
    """

    def announce(path: Path, size: int) -> None:
        if path.is_dir():
            raise _outside(f"{path}, which is a folder")
        reporter.note(f"Downloading {path.name}, {size / 1e6:.1f} MB")

    def call(api: Any) -> list[str]:
        api.on_download = announce
        try:
            names: list[str] = api.kernels_output(kernel, str(folder))[0]
        except ValueError as error:
            if "outside destination" in str(error):
                raise _outside(str(error)) from None
            raise
        return names

    return [*map(Path, call_with_retry(kernel_context(kernel, "the output"), call, reporter))]


def _outside(received: str) -> DataError:
    return DataError(
        f"A kernel's output leads outside its folder. Received: {received}. Download it on "
        "Kaggle's page if you trust it."
    )
