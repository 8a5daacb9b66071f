"""The hours of GPU and TPU that the user may still use this week."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from kagglecxr.core.environment import Check
from kagglecxr.core.errors import CxrError
from kagglecxr.remote.client import kaggle_client
from kagglecxr.remote.errors import SETTINGS_PAGE, RequestContext

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
