"""How `submit` is to send; light, since the command line is read with it."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from kagglecxr.core.errors import SettingError


@Parameter(name="*")
@dataclass(frozen=True)
class SubmitOptions:
    """What is sent besides a file, and how.

    Attributes:
        message: What to remember of it; Kaggle shows it beside the score.
        local: Score on the rehearsal leaderboard, with no account and no network.
        dry_run: Check and say what would be sent, and stop.
        again: Do it though this very file was scored before.
        kernel: Submit what a kernel writes, OWNER/SLUG, as code competitions want it.
        version: The kernel's version.
        wait: Seconds to wait for the score; the same command goes on waiting.
    """

    message: str = ""
    local: Annotated[bool, Parameter(negative="")] = False
    dry_run: Annotated[bool, Parameter(negative="")] = False
    again: Annotated[bool, Parameter(negative="")] = False
    kernel: str | None = None
    version: int | None = None
    wait: float = 1800.0

    def check(self, kind: str) -> None:
        """Refuses what does not go together.

        Args:
            kind: of the competition's source.

        Raises:
            SettingError: a kernel without its version or the other way round, a kernel with
                --local, or no leaderboard on Kaggle.
        """
        if (self.kernel is None) != (self.version is None):
            raise SettingError(
                f"A kernel is submitted by its version. Received: --kernel {self.kernel} "
                f"--version {self.version}. Name both, as the kernel's page does."
            )
        if self.kernel is not None and self.local:
            raise SettingError(
                f"A kernel runs on Kaggle. Received: --kernel {self.kernel} with --local. Leave "
                "one of them out."
            )
        if kind != "competition" and self.kernel is not None:
            raise SettingError(
                f"There is no leaderboard for this competition on Kaggle. Received: a source of "
                f"kind {kind} with --kernel {self.kernel}. Use --local with a file."
            )
        if self.wait < 0:
            raise SettingError(f"A time is not negative. Received: --wait {self.wait}. Use 600.")
