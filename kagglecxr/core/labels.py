"""The order of class names, and the numbers of those that are numbers."""

import re
from collections.abc import Iterable, Sequence


def in_order(names: Iterable[str]) -> list[str]:
    """Sorts class names: by value if all are numbers, else as text.

    >>> in_order(["10", "2", "0"]), in_order(["2", "normal", "10"])
    (['0', '2', '10'], ['10', '2', 'normal'])
    """
    names = list(names)
    numbers = _as_numbers(names)
    if numbers is None:
        return sorted(names)
    return [name for _, name in sorted(zip(numbers, names, strict=True))]


def class_numbers(names: Sequence[str]) -> list[int]:
    """Returns the number of each class: its own if all are whole numbers, else its position.

    >>> class_numbers(["1", "2", "10"]), class_numbers(["covid", "normal"])
    ([1, 2, 10], [0, 1])
    """
    numbers = _as_numbers(names)
    own = [int(number) for number in numbers or []]
    are_own = own == numbers and len(set(own)) == len(own)
    return own if are_own else list(range(len(names)))


def _as_numbers(names: Sequence[str]) -> list[float] | None:
    """The values of the names, or None if one of them is no number."""
    are_numbers = all(re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", name) for name in names)
    return [float(name) for name in names] if are_numbers else None
