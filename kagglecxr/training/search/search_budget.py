"""The budget of a search; imports neither Keras nor Optuna, since the command line reads it."""

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
        storage: The URL of a database that several machines share; defaults to a file in the
            workspace.
        cluster: Train trials on the machines of a Ray cluster: auto, HOST:PORT, or local.
    """

    trials: int = 20
    timeout: float | None = None
    workers: int = 1
    trial_folds: int = 1
    storage: str | None = None
    cluster: str | None = None

    def with_workers(self, minimum: int) -> "SearchBudget":
        """Returns the same budget with at least so many trials at the same time."""
        return replace(self, workers=max(self.workers, minimum))

    def check(self, folds: int) -> None:
        """Checks the budget against the number of folds of the data.

        Raises:
            SettingError: A number below one, or more folds than there are.
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
