"""Pushes a kernel's folder to Kaggle, and checks quota and response."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from kagglecxr.core.environment import Check
from kagglecxr.core.errors import CxrError
from kagglecxr.core.progress import Reporter
from kagglecxr.remote.client import call_with_retry, kaggle_client
from kagglecxr.remote.errors import (
    PAGE,
    SETTINGS_PAGE,
    KaggleError,
    RequestContext,
    kernel_context,
    redact,
)
from kagglecxr.remote.kernels.kernel_metadata import KernelMetadata

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
    for warning in metadata.warnings():
        reporter.note(warning)
    _check_quota(metadata)
    context = kernel_context(metadata.id, "the push")
    response = call_with_retry(
        context, lambda api: api.kernels_push(str(folder)), reporter, changes=True
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


# Nobody waits longer for something that is only good to know.
_TIMEOUT = 10.0
_ADVICE = f"See {SETTINGS_PAGE}."
_CONTEXT = RequestContext("the accelerator quota", _ADVICE, _ADVICE, _ADVICE)


@dataclass(frozen=True)
class AcceleratorQuota:
    """The hours of one accelerator in this week, and when the next one begins, in UTC."""

    used: float
    allowed: float
    refresh: datetime | None

    @property
    def is_exhausted(self) -> bool:
        """Whether no time is left."""
        return self.used >= self.allowed

    def __str__(self) -> str:
        refresh = f", refreshed {self.refresh:%Y-%m-%d %H:%M} UTC" if self.refresh else ""
        return f"{self.used:.1f} of {self.allowed:.1f} hours used{refresh}"


def accelerator_quotas() -> dict[str, AcceleratorQuota]:
    """The weekly quotas of "gpu" and "tpu"; empty without credentials or network."""
    try:
        with kaggle_client(_CONTEXT, _TIMEOUT) as api:
            response = api.quota_view()
    except (CxrError, OSError):
        return {}
    quotas = {}
    for name, quota in (("gpu", response.gpu_quota), ("tpu", response.tpu_quota)):
        if quota is not None and quota.total_time_allowed is not None:
            used, allowed = quota.time_used or timedelta(), quota.total_time_allowed
            hour, refresh = timedelta(hours=1), response.quota_refresh_time
            quotas[name] = AcceleratorQuota(used / hour, allowed / hour, refresh)
    return quotas


def check_quotas() -> list[Check]:
    """Checks whether accelerator time is left; no check without credentials or network."""
    return [
        Check(f"Kaggle {name.upper()}", str(quota), is_ok=not quota.is_exhausted)
        for name, quota in accelerator_quotas().items()
    ]
