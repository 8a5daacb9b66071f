"""How Kaggle is asked while data are downloaded, and who is told."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from kagglecxr.core.progress import Reporter
from kagglecxr.remote.asking import Patience, ask
from kagglecxr.remote.client import TIMEOUT
from kagglecxr.remote.failures import Errand

Asked = TypeVar("Asked")


@dataclass(frozen=True)
class Manner:
    """What all steps of a download share.

    Attributes:
        reporter: shown the bytes, and told of pauses.
        timeout: seconds of silence after which a connection is given up.
        patience: with too many requests.
    """

    reporter: Reporter
    timeout: float = TIMEOUT
    patience: Patience = Patience()

    def ask(self, errand: Errand, call: Callable[[Any], Asked]) -> Asked:
        """What a call of the client gives; see `remote.asking`."""
        return ask(errand, call, self.reporter, timeout=self.timeout, patience=self.patience)
