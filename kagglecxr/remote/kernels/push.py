"""Pushes a kernel's folder to Kaggle, and believes nothing that the answer does not say."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kagglecxr.core.progress import Reporter
from kagglecxr.remote.client import RetryPolicy, call_with_retry
from kagglecxr.remote.errors import PAGE, KaggleError, kernel_context, redact
from kagglecxr.remote.kernels.kernel_metadata import KernelMetadata, read_kernel_metadata

_DROPPED = {
    "invalid_dataset_sources": "dataset_sources",
    "invalid_competition_sources": "competition_sources",
    "invalid_kernel_sources": "kernel_sources",
    "invalid_model_sources": "model_sources",
}


class SessionLimitError(KaggleError):
    """As many of the user's kernels run as Kaggle allows at a time."""


@dataclass(frozen=True)
class KernelVersion:
    """A version of a kernel that Kaggle has taken and runs.

    Attributes:
        kernel: `owner/slug`.
        version: its number.
        url: of its page.
    """

    kernel: str
    version: int
    url: str


def push_kernel(
    folder: Path, reporter: Reporter, patience: RetryPolicy = RetryPolicy()
) -> KernelVersion:
    """Pushes a folder as `kaggle kernels push -p FOLDER` does, and runs it.

    Args:
        folder: with kernel-metadata.json and the script that it names.
        reporter: told of waiting.
        patience: with too many requests.

    Raises:
        MissingError: no metadata, no script, no client or no credentials.
        SettingError: the metadata break a rule of Kaggle's.
        SessionsTakenError: too many kernels run already.
        KaggleError: Kaggle refused it, dropped sources, gave it another name or another machine,
            or could not be reached.
    """
    metadata = read_kernel_metadata(folder)
    errand = kernel_context(metadata.id, "the push")

    def call(api: Any) -> Any:
        return api.kernels_push(str(folder))

    answer = call_with_retry(errand, call, reporter, patience=patience)
    if answer.error:
        raise _refused(answer.error, metadata.id)
    url = answer.url or f"{PAGE}/code/{metadata.id}"
    dropped = {
        key: list(getattr(answer, field, None) or [])
        for field, key in _DROPPED.items()
        if getattr(answer, field, None)
    }
    if dropped:
        told = "; ".join(f"{key} {', '.join(names)}" for key, names in dropped.items())
        raise KaggleError(
            f"Kaggle runs the kernel without some of its sources. Received: {told}, in version "
            f"{answer.version_number} of {metadata.id}. Stop it on {url}, check that these exist "
            "and that you may see them (a competition has to be joined), and push again."
        )
    _assert_name(answer, metadata, url)
    return KernelVersion(metadata.id, int(answer.version_number or 0), url)


def _refused(error: str, kernel: str) -> KaggleError:
    text = redact(ValueError(error))
    if "session count" in error.lower():
        return SessionLimitError(
            f"As many kernels run as Kaggle allows at a time. Received: {text} for {kernel}. Run "
            "the same command again when one has ended."
        )
    return KaggleError(
        f"Kaggle refuses the kernel. Received: {text} for {kernel}. Mend its "
        "kernel-metadata.json, and check that the id's owner is the credentials' user."
    )


def _assert_name(answer: Any, metadata: KernelMetadata, url: str) -> None:
    """Kaggle makes the slug of the title, whatever the id says."""
    given = (answer.ref or url).rstrip("/").rpartition("/")[2]
    slug = metadata.id.partition("/")[2]
    if given and given != slug:
        raise KaggleError(
            f"Kaggle gave the kernel another name. Received: {given} for {metadata.id}, {url}. "
            f"Write that id, or another title, into kernel-metadata.json."
        )
