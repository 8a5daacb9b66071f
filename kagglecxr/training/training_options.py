"""Options of `train` and `tune`.

Imports neither Keras nor NumPy nor Optuna, since the command line is parsed with it.
"""

from dataclasses import dataclass, replace

from cyclopts import Parameter

from kagglecxr.core.cli import Duration
from kagglecxr.core.deadline import check_timeout
from kagglecxr.core.errors import SettingError


def check_time_and_place(timeout: float | None, cluster: str | None) -> None:
    """Raises SettingError for a time limit that is not positive, or holds for a cluster."""
    check_timeout(timeout)
    if timeout is not None and cluster is not None:
        raise SettingError(
            f"A time limit holds for this machine alone. Received: --timeout {timeout} with "
            f"--cluster {cluster}. Leave one of them out."
        )


@Parameter(name="*")
@dataclass(frozen=True)
class TrainOptions:
    """How much is trained, how long, and where.

    Attributes:
        folds: Folds to split the training set into; defaults to those that prepare made.
        fold: Train this fold alone.
        seeds: Train so many runs, with SEED, SEED + 1 and so on, all on the folds of the first.
        pseudo_rounds: Train so many students more, which learn from the previous run's predictions
            of the test set, as long as the out-of-fold score rises.
        timeout: How long all takes at most, in seconds or as 30m, 1h. Alone, it chooses what to
            train: classifiers on the features of frozen networks first, then a fine-tuning, as far
            as they fit. With a recipe or model, a fold whose epochs do not fit ends with its best.
        cluster: Train folds on the machines of a Ray cluster: auto, HOST:PORT, or local.
    """

    folds: int | None = None
    fold: int | None = None
    seeds: int = 1
    pseudo_rounds: int = 0
    timeout: Duration | None = None
    cluster: str | None = None

    def check(self) -> None:
        """Raises SettingError for options out of range or that contradict each other."""
        if self.seeds < 1:
            raise SettingError(
                f"At least 1 seed is trained. Received: --seeds {self.seeds}. Use 3."
            )
        if self.pseudo_rounds < 0 or (self.pseudo_rounds and self.fold is not None):
            raise SettingError(
                f"Rounds of pseudo-labels are judged by all folds. Received: {self.pseudo_rounds} "
                f"rounds{'' if self.fold is None else f' of fold {self.fold} alone'}. Use at least "
                "0, and leave the fold out."
            )
        check_time_and_place(self.timeout, self.cluster)

    def is_time_alone(self) -> bool:
        """Whether a time limit is all that is said."""
        return self.timeout is not None and self == TrainOptions(timeout=self.timeout)

    def with_next_fold(self, prepared: int) -> "TrainOptions":
        """Returns the same options for the next fold, after the last one for the first again.

        `prepared` is how many folds the data were prepared with.
        """
        return replace(self, fold=((self.fold or 0) + 1) % (self.folds or prepared))


@Parameter(name="*")
@dataclass(frozen=True)
class SearchBudget:
    """How much a search may take.

    Attributes:
        trials: Trials in all, those of earlier calls counted; failed ones are not.
        timeout: How long all trials may take together, in seconds or as 30m, 1h, those of earlier
            calls counted.
        workers: Trials trained at the same time on this machine.
        trial_folds: Folds that each trial trains; its score is their mean.
        storage: The URL of a database that several machines share; defaults to a file in the
            workspace.
        cluster: Train trials on the machines of a Ray cluster: auto, HOST:PORT, or local.
    """

    trials: int = 20
    timeout: Duration | None = None
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
