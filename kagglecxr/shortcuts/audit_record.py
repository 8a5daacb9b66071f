"""What an audit found, as a file that other pages and tables read."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kagglecxr.core.files import read_json, write_json
from kagglecxr.core.intervals import Interval

RECORD = "audit.json"


@dataclass(frozen=True)
class AuditRecord:
    """The contents of audit.json.

    Attributes:
        verdict: its kind, in words.
        sentence: with the numbers.
        images: how many were looked at.
        chance: the score of guessing: a balanced accuracy, of findings a mean AUC.
        whole: that of the run on whole images.
        background: that of heads that see the background alone.
        same: the share of right answers where lungs are in the background of their own class, of
            findings the mean AUC.
        other: that in the background of another class.
        accuracy_gap: what they differ by.
        certainty_gap: the same of the probability of the lungs' class.
        source: the balanced accuracy by which the source is told; None where there is one alone.
        findings: the kind of verdict on each finding that was audited; empty of single labels.

    All four of swapped backgrounds are None where they could not be swapped.
    """

    verdict: str
    sentence: str
    images: int
    chance: float
    whole: Interval
    background: Interval
    same: float | None
    other: float | None
    accuracy_gap: Interval | None
    certainty_gap: Interval | None
    source: Interval | None
    findings: dict[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Writes audit.json, atomically."""
        write_json(folder / RECORD, dataclasses.asdict(self))


def read_audit(folder: Path) -> AuditRecord | None:
    """Reads what an audit left in its folder; None where there is nothing that can be read.

    So a damaged record, or one of another version, counts as no audit: another one replaces it.
    """
    try:
        values = read_json(folder / RECORD)
        intervals = {name: _interval(values[name]) for name in _INTERVALS}
        return AuditRecord(**(values | intervals))
    except (OSError, ValueError, TypeError, KeyError):
        return None


_INTERVALS = ("whole", "background", "accuracy_gap", "certainty_gap", "source")


def _interval(values: dict[str, Any] | None) -> Interval | None:
    return None if values is None else Interval(**values)
