"""Options of the verb `submit`; imports nothing heavy, since `--help` needs them."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from kagglecxr.core.errors import SettingError


@Parameter(name="*")
@dataclass(frozen=True)
class SubmitOptions:
    """What is submitted, and how.

    Attributes:
        message: A note on the submission; Kaggle shows it next to the score.
        local: Score on the rehearsal leaderboard, with no account and no network.
        dry_run: Validate the file, print what would be sent, and stop.
        again: Submit even if this very file was scored before.
        kernel: Submit the output of a kernel, OWNER/SLUG, to a code competition.
        version: The kernel's version.
        wait: Seconds to wait for the score; the same command continues to wait.
    """

    message: str = ""
    local: Annotated[bool, Parameter(negative="")] = False
    dry_run: Annotated[bool, Parameter(negative="")] = False
    again: Annotated[bool, Parameter(negative="")] = False
    kernel: str | None = None
    version: int | None = None
    wait: float = 1800.0

    def check(self, kind: str) -> None:
        """Refuses options that contradict each other, or the kind of the competition's source.

        Raises:
            SettingError: the sentence says which.
        """
        if (self.kernel is None) != (self.version is None):
            raise SettingError(
                f"A kernel is submitted by its version. Received: --kernel {self.kernel} "
                f"--version {self.version}. Name both, as the kernel's page does."
            )
        if self.kernel is not None and (self.local or kind != "competition"):
            received = "--local" if self.local else f"a source of kind {kind}"
            raise SettingError(
                f"A kernel runs on Kaggle, for a competition there. Received: --kernel "
                f"{self.kernel} with {received}. Submit a file instead."
            )
        if self.wait < 0:
            raise SettingError(f"A time is not negative. Received: --wait {self.wait}. Use 600.")
