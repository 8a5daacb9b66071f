"""Asks Kaggle for something, and waits where it says that it was asked too much."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from kagglecxr.core.progress import Reporter
from kagglecxr.remote.client import TIMEOUT, kaggle_client
from kagglecxr.remote.failures import Errand, KaggleError

TOO_MANY = 429
Asked = TypeVar("Asked")


@dataclass(frozen=True)
class Patience:
    """How long too many requests are waited out.

    Attributes:
        most: seconds, of all pauses together.
        first: seconds of the first pause where Kaggle names none; each one more is twice as long.
        sleep: waits.
    """

    most: float = 900.0
    first: float = 15.0
    sleep: Callable[[float], None] = time.sleep


def ask(
    errand: Errand,
    call: Callable[[Any], Asked],
    reporter: Reporter,
    *,
    timeout: float = TIMEOUT,
    patience: Patience = Patience(),
) -> Asked:
    """What a call of the client gives; where Kaggle has had too many requests, it is made again.

    Args:
        errand: what is asked for; a failure is told as its failure.
        call: takes a signed-in `KaggleApi`. It must be harmless when Kaggle refuses it.
        reporter: told of each pause.
        timeout: seconds of silence after which a connection is given up.
        patience: for how long.

    Raises:
        MissingError: there is no client, or there are no credentials.
        KaggleError: Kaggle refused, fell silent, could not be reached, or wants more patience.
        OSError: of the disk, as it came.
    """
    pause, waited = patience.first, 0.0
    while True:
        try:
            with kaggle_client(errand, timeout) as api:
                return call(api)
        except KaggleError as error:
            wanted = pause if error.retry_after is None else error.retry_after
            if error.status != TOO_MANY or waited + wanted > patience.most:
                raise
        reporter.note(
            f"Kaggle has had too many requests for {errand.what}; asking again in {wanted:.0f} s."
        )
        patience.sleep(wanted)
        waited += wanted
        pause *= 2
