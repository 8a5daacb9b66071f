"""How much a search may take; light, since the command line is read with it."""

from dataclasses import dataclass, replace

from cyclopts import Parameter

from kagglecxr.core.deadline import check_timeout
from kagglecxr.core.errors import SettingError


@Parameter(name="*")
@dataclass(frozen=True)
class SearchBudget:
    """How much a search may take.

    Attributes:
        trials: Trials in all, those of earlier calls counted; failed ones are not.
        timeout: Seconds that all trials may take together, those of earlier calls counted.
        workers: Trials trained at the same time on this machine.
        trial_folds: Folds that each trial trains; its score is their mean.
        storage: The URL of a database that several machines share; a file in the workspace unless
            told.
        cluster: Train trials on the machines of a Ray cluster: auto, HOST:PORT, or local.
    """

    trials: int = 20
    timeout: float | None = None
    workers: int = 1
    trial_folds: int = 1
    storage: str | None = None
    cluster: str | None = None

    def on(self, places: int) -> "SearchBudget":
        """The same, with so many trials at the same time at least."""
        return replace(self, workers=max(self.workers, places))

    def check(self, folds: int) -> None:
        """Refuses what cannot be done with data of so many folds.

        Raises:
            SettingError: a number below one, or more folds than there are.
        """
        for name in ("trials", "workers", "trial_folds"):
            if getattr(self, name) < 1:
                raise SettingError(
                    f"--{name.replace('_', '-')} is at least 1. Received: {getattr(self, name)}. "
                    "Use a greater number."
                )
        check_timeout(self.timeout)
        if self.trial_folds > folds:
            raise SettingError(
                f"There are not so many folds. Received: --trial-folds {self.trial_folds} of "
                f"{folds}. Use {folds} or less."
            )
