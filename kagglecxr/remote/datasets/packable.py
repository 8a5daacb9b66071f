"""What a wheel is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Packable:
    """A pure-Python distribution.

    Attributes:
        name_version: as its metadata's folder is called, without the ending.
        tag: for which Pythons and machines it is, as in a wheel's name.
        files: the content of each by its path in the wheel; RECORD is not among them.
        requires: what it needs, as its metadata list it.
    """

    name_version: str
    tag: str
    files: Mapping[str, bytes]
    requires: Sequence[str]
