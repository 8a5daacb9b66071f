"""How something that Kaggle works on is waited for."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Waiting:
    """For how long, and how often it is looked at.

    Attributes:
        most: seconds, of all pauses together.
        first: seconds of the first pause; each one more is half as long again.
        longest: seconds of a pause.
        sleep: waits.
    """

    most: float = 1800.0
    first: float = 5.0
    longest: float = 60.0
    sleep: Callable[[float], None] = time.sleep

    def pauses(self) -> Iterator[float]:
        """Sleeps between two items, the length of which it gives; ends when the time is over."""
        pause, waited = self.first, 0.0
        yield 0.0
        while waited < self.most:
            pause = min(pause, self.longest, self.most - waited)
            self.sleep(pause)
            waited += pause
            yield pause
            pause *= 1.5
