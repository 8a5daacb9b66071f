"""Several findings in one cell: how the index writes them, and the table of 0 and 1 they are.

A cell joins findings by `|`; one that is not known to be there or not has `?` before it. An image
without any has the name of that, "No Finding" if nothing else is said.
"""

from collections.abc import Collection, Iterable, Sequence

import numpy as np
import numpy.typing as npt

SEPARATOR, NOT_KNOWN = "|", "?"
NO_FINDING = "No Finding"


def join_findings(
    present: Collection[str], not_known: Collection[str], names: Iterable[str], none: str
) -> str:
    """Returns the cell of an image.

    Args:
        present: the findings it has.
        not_known: those of which it is not known.
        names: all findings, whose order the cell has.
        none: what the cell is without any of both.

    >>> join_findings(["Mass", "Edema"], ["Hernia"], ["Edema", "Hernia", "Mass"], "No Finding")
    'Edema|?Hernia|Mass'
    """
    parts = [
        name if name in present else f"{NOT_KNOWN}{name}"
        for name in names
        if name in present or name in not_known
    ]
    return SEPARATOR.join(parts) or none


def split_findings(cell: str) -> list[str]:
    """Returns the names in a cell, those that are not known included.

    >>> split_findings("Edema|?Hernia"), split_findings("")
    (['Edema', 'Hernia'], [])
    """
    return [part.removeprefix(NOT_KNOWN) for part in cell.split(SEPARATOR) if part]


def present_findings(cell: str) -> list[str]:
    """Returns the names in a cell that are known to be there.

    >>> present_findings("Edema|?Hernia"), present_findings("?Hernia")
    (['Edema'], [])
    """
    return [part for part in cell.split(SEPARATOR) if part and not part.startswith(NOT_KNOWN)]


def name_of_none(names: Sequence[str]) -> str:
    """Returns what an image without any of the findings is called, which is none of them.

    >>> name_of_none(["Edema"]), name_of_none(["Edema", "No Finding"])
    ('No Finding', '-')
    """
    return "-" if NO_FINDING in names else NO_FINDING


def truth_of_findings(cells: Sequence[str], names: Sequence[str]) -> npt.NDArray[np.float32]:
    """Returns (cells, names), 1 for a finding that is there, 0 else, NaN where it is not known.

    >>> truth_of_findings(["Edema|?Hernia", "No Finding"], ["Edema", "Hernia"]).tolist()
    [[1.0, nan], [0.0, 0.0]]
    """
    column = {name: number for number, name in enumerate(names)}
    truth = np.zeros((len(cells), len(names)), np.float32)
    for row, cell in enumerate(cells):
        for part in filter(None, cell.split(SEPARATOR)):
            name = part.removeprefix(NOT_KNOWN)
            if name in column:
                truth[row, column[name]] = np.nan if part != name else 1.0
    return truth
