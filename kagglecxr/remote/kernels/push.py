"""Pushes a kernel's folder to Kaggle, and checks all that the client's response leaves unsaid."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kagglecxr.core.progress import Reporter
from kagglecxr.remote.client import call_with_retry
from kagglecxr.remote.errors import PAGE, KaggleError, kernel_context, redact
from kagglecxr.remote.kernels.kernel_metadata import KernelMetadata
from kagglecxr.remote.kernels.quota import accelerator_quotas

_SOURCES = ("dataset_sources", "competition_sources", "kernel_sources", "model_sources")


class SessionLimitError(KaggleError):
    """As many of the user's kernels run as Kaggle allows at a time."""


@dataclass(frozen=True)
class KernelVersion:
    """A version of a kernel, `owner/slug`, that Kaggle accepted and runs."""

    kernel: str
    version: int
    url: str


def push_kernel(folder: Path, reporter: Reporter) -> KernelVersion:
    """Pushes a folder as `kaggle kernels push -p FOLDER` does, and runs it.

    Raises:
        MissingError: no metadata, no script, no client or no credentials.
        SettingError: the metadata break a rule of Kaggle's.
        SessionLimitError: too many kernels run already.
        KaggleError: no accelerator time is left, or Kaggle refused the kernel, dropped sources,
            gave it another name, or could not be reached.
    """
    metadata = KernelMetadata.read(folder)
    _check_quota(metadata)
    response = call_with_retry(
        kernel_context(metadata.id, "the push"), lambda api: api.kernels_push(str(folder)), reporter
    )
    if response.error:
        raise _refused(response.error, metadata.id)
    url = response.url or f"{PAGE}/code/{metadata.id}"
    dropped = [
        f"{key} {', '.join(names)}"
        for key in _SOURCES
        if (names := getattr(response, f"invalid_{key}"))
    ]
    if dropped:
        raise KaggleError(
            f"Kaggle runs the kernel without some of its sources. Received: {'; '.join(dropped)}, "
            f"in version {response.version_number} of {metadata.id}. Stop it on {url}, check that "
            "these exist and that you may see them (join competitions first), and push again."
        )
    _check_name(response, metadata, url)
    return KernelVersion(metadata.id, int(response.version_number or 0), url)


def _check_quota(metadata: KernelMetadata) -> None:
    if metadata.accelerator == "cpu":
        return
    quota = accelerator_quotas().get(metadata.accelerator)
    if quota is not None and quota.is_exhausted:
        raise KaggleError(
            f"No {metadata.accelerator.upper()} time is left this week. Received: {quota} for "
            f"{metadata.id}. Push again next week, or run: python -m kagglecxr.kernel build "
            "COMPETITION --accelerator cpu"
        )


def _refused(error: str, kernel: str) -> KaggleError:
    text = redact(ValueError(error))
    if "session count" in error.lower():
        return SessionLimitError(
            f"As many kernels run as Kaggle allows at a time. Received: {text} for {kernel}. Run "
            "the same command again when one has ended."
        )
    return KaggleError(
        f"Kaggle refuses the kernel. Received: {text} for {kernel}. Correct its "
        "kernel-metadata.json, and check that the id's owner is the credentials' user."
    )


def _check_name(response: Any, metadata: KernelMetadata, url: str) -> None:
    """Kaggle makes the slug of the title, whatever the id says."""
    given = (response.ref or url).rstrip("/").rpartition("/")[2]
    if given and given != metadata.slug:
        raise KaggleError(
            f"Kaggle gave the kernel another name. Received: {given} for {metadata.id}, {url}. "
            f"Write that id, or another title, into kernel-metadata.json."
        )
