"""The study that a search writes to: where it is kept, what it asks for, when a trial is given up.

The sampler is the tree-structured Parzen estimator (Bergstra et al. 2011), the pruner the median
rule of Golovin et al. 2017 (Google Vizier, section 3.2.1).
"""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage, JournalStorage, get_storage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from kagglecxr.core.errors import SettingError
from kagglecxr.core.randomness import derive_seed
from kagglecxr.training.search.entries import Entry, Range
from kagglecxr.training.search.ledger import LOST
from kagglecxr.training.search.space import Space

STARTUP_TRIALS, STARTUP_EPOCHS = 5, 2

optuna.logging.set_verbosity(optuna.logging.ERROR)


class NumberedSampler(BaseSampler):
    """Draws each trial from a stream of its own number, those that only repeat others left out.

    So a search that was killed goes on as it would have, and two machines that share a study do
    not draw the same.

    Args:
        make: the sampler of one trial, from a seed.
        seed: of the whole search.
    """

    def __init__(self, make: Callable[[int], BaseSampler], seed: int) -> None:
        self._make, self._seed = make, seed
        self._sampler = make(seed)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Starts the stream of this trial."""
        repeated = [t for t in study.get_trials(deepcopy=False) if LOST in t.user_attrs]
        number = trial.number - sum(other.number < trial.number for other in repeated)
        self._sampler = self._make(derive_seed(self._seed, "trial", number))
        self._sampler.before_trial(study, trial)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Which entries are drawn together."""
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Values of entries that are drawn together."""
        return self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """The value of an entry that is drawn alone."""
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Tells the sampler how a trial ended."""
        self._sampler.after_trial(study, trial, state, values)


def storage_place(folder: Path, url: str | None) -> str:
    """Where a study is kept: a URL as it is, or else the journal file in the study's folder."""
    return url or str((folder / "journal.log").absolute())


def open_storage(place: str) -> BaseStorage:
    """The storage at a URL or in a journal file.

    Raises:
        SettingError: it cannot be opened.
    """
    if "://" not in place:
        path = Path(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        _cut_half_a_line(path)
        return JournalStorage(JournalFileBackend(place, _lock(place)))
    try:
        return get_storage(place)
    except Exception as error:
        # The URL itself may hold a password, and so may what a database's driver says.
        raise SettingError(
            f"A study's storage cannot be opened. Received: --storage "
            f"{place.partition('://')[0]}://... ({type(error).__name__}). Check the URL, and that "
            "the database's driver is installed."
        ) from error


def open_study(name: str, place: str, *, maximise: bool, seed: int) -> Study:
    """The study of that name, begun where it does not exist yet.

    Args:
        name: the same for all who search together.
        place: see `storage_place`.
        maximise: whether a greater score is better.
        seed: all draws derive from it and from the trials' numbers.

    Raises:
        SettingError: the storage cannot be opened.
    """
    return optuna.create_study(
        study_name=name,
        storage=open_storage(place),
        direction="maximize" if maximise else "minimize",
        sampler=NumberedSampler(_sampler, derive_seed(seed, "search")),
        pruner=make_pruner(),
        load_if_exists=True,
    )


def open_trial(name: str, place: str, number: int) -> Trial:
    """A trial that another process asked for, to report to.

    Args:
        name: of the study.
        place: see `storage_place`.
        number: the trial's.
    """
    storage = open_storage(place)
    study = optuna.load_study(
        study_name=name, storage=storage, sampler=RandomSampler(), pruner=make_pruner()
    )
    study_id = storage.get_study_id_from_name(name)
    return Trial(study, storage.get_trial_id_from_study_id_trial_number(study_id, number))


def make_pruner() -> optuna.pruners.BasePruner:
    """Gives up a trial that is worse than the median of the others at the same epoch."""
    return optuna.pruners.MedianPruner(
        n_startup_trials=STARTUP_TRIALS, n_warmup_steps=STARTUP_EPOCHS
    )


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """A space in Optuna's words."""
    return {name: _distribution(entry) for name, entry in space.entries.items()}


def _distribution(entry: Entry) -> BaseDistribution:
    if not isinstance(entry, Range):
        return CategoricalDistribution(entry)
    if entry.whole():
        return IntDistribution(int(entry.low), int(entry.high), entry.log, int(entry.step or 1))
    return FloatDistribution(entry.low, entry.high, entry.log, entry.step)


def _sampler(seed: int) -> BaseSampler:
    with warnings.catch_warnings():
        # Before Optuna 5 the liar, which keeps trials that run at once apart, was an experiment.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return TPESampler(seed=seed, constant_liar=True)


def _lock(journal: str) -> JournalFileOpenLock:
    return JournalFileOpenLock(journal)


def _cut_half_a_line(journal: Path) -> None:
    """Cuts what a power failure or a full disk left unfinished, which Optuna would stumble over."""
    if not journal.is_file():
        return
    lock = _lock(str(journal))
    lock.acquire()
    try:
        content = journal.read_bytes()
        if content and not content.endswith(b"\n"):
            with journal.open("r+b") as stream:
                stream.truncate(content.rfind(b"\n") + 1)
    finally:
        lock.release()
