"""What a kernel on Kaggle is at."""

from dataclasses import dataclass
from typing import Any

from kagglecxr.core.progress import Reporter
from kagglecxr.remote.asking import Patience, ask
from kagglecxr.remote.errands import kernel_errand

COMPLETE, FAILED, CANCELLED = "complete", "error", "cancel_acknowledged"
ENDED = (COMPLETE, FAILED, CANCELLED)


@dataclass(frozen=True)
class KernelState:
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


def look_at_kernel(kernel: str, reporter: Reporter, patience: Patience = Patience()) -> KernelState:
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

    answer = ask(kernel_errand(kernel, "the status"), call, reporter, patience=patience)
    return KernelState(kernel, answer.status.name.lower(), answer.failure_message or "")
