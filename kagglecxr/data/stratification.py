"""Parts of images with several findings each: groups whole, every finding's share as wanted.

Iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011, "On the stratification of
multi-label data", algorithm 1), on groups of images instead of single ones, and then exchanges of
groups between parts for as long as they bring the shares nearer.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.float64]
"""(groups, columns): the share of a column's images that each group has."""
Parts = npt.NDArray[np.intp]

EXCHANGES = 400
"""The most moves and swaps after the first assignment."""
CANDIDATES = 400
"""Groups of a part that are looked at for a swap, drawn anew each time."""
LEAST_GAIN = 1e-12


def stratify_groups(
    columns: npt.NDArray[np.integer],
    groups: Sequence[str],
    ratios: Sequence[float],
    random: np.random.Generator,
) -> Parts:
    """Divides images into parts with whole groups, so that each has its ratio of every column.

    Args:
        columns: (N, K) 0 or 1, what is to be even: findings, none of them, sources. Rare columns
            count as much as frequent ones. The number of images is a column more.
        groups: (N,) the group of each image, which stays whole.
        ratios: (parts,) the share of each part; their sum is 1.
        random: decides between equal choices.

    Returns:
        (N,) the part of each image.
    """
    _, number = np.unique(np.array(groups, dtype=object), return_inverse=True)
    every = np.column_stack([columns, np.ones(len(columns), np.int64)]).astype(np.float64)
    counts = np.zeros((number.max() + 1, every.shape[1]))
    np.add.at(counts, number, every)
    totals = counts.sum(axis=0)
    shares = counts[:, totals > 0] / totals[totals > 0]
    wanted = np.asarray(ratios, np.float64)
    parts = _assign(counts[:, totals > 0], wanted, random)
    _exchange(parts, shares, wanted, random)
    return parts[number]


def _assign(counts: Counts, ratios: Counts, random: np.random.Generator) -> Parts:
    """The rarest column that is left comes first, and goes to the part that lacks most of it."""
    parts = np.full(len(counts), -1, np.intp)
    lacking = np.outer(ratios, counts.sum(axis=0))
    tie = random.random(len(counts))
    while (parts < 0).any():
        free = np.flatnonzero(parts < 0)
        left = counts[free].sum(axis=0)
        column = int(np.where(left > 0, left, np.inf).argmin())
        having = free[counts[free, column] > 0]
        # The largest first: what comes later can only even out what is smaller.
        for group in having[np.lexsort((tie[having], -counts[having, column]))]:
            keys = (random.random(len(ratios)), lacking[:, -1], lacking[:, column])
            part = int(np.lexsort(keys)[-1])
            parts[group] = part
            lacking[part] -= counts[group]
    return parts


def _exchange(parts: Parts, shares: Counts, ratios: Counts, random: np.random.Generator) -> None:
    """Moves and swaps groups while the sum of squared deviations of all shares falls."""
    deviation = -np.repeat(ratios[:, None], shares.shape[1], axis=1)
    np.add.at(deviation, parts, shares)
    squares = (shares**2).sum(axis=1)
    for _ in range(EXCHANGES):
        moved = _best_move(parts, shares, squares, deviation)
        if moved is None:
            moved = _best_swap(parts, shares, squares, deviation, random)
        if moved is None:
            return
        for group, to in moved:
            deviation[parts[group]] -= shares[group]
            deviation[to] += shares[group]
            parts[group] = to


def _best_move(
    parts: Parts, shares: Counts, squares: Counts, deviation: Counts
) -> list[tuple[int, int]] | None:
    # A move from a to b changes the sum by 2 (x x + x (b - a)), where x are the group's shares.
    projected = shares @ deviation.T
    change = squares[:, None] + projected - projected[np.arange(len(parts)), parts][:, None]
    change[np.arange(len(parts)), parts] = 0.0
    group, to = np.unravel_index(int(change.argmin()), change.shape)
    return [(int(group), int(to))] if change[group, to] < -LEAST_GAIN else None


def _best_swap(
    parts: Parts,
    shares: Counts,
    squares: Counts,
    deviation: Counts,
    random: np.random.Generator,
) -> list[tuple[int, int]] | None:
    """The best swap of two groups of the first pair of parts that has one, in random order."""
    numbers = range(len(deviation))
    members = [random.permutation(np.flatnonzero(parts == p))[:CANDIDATES] for p in numbers]
    pairs = [(a, b) for a in numbers for b in range(a)]
    for number in random.permutation(len(pairs)):
        a, b = pairs[number]
        own, other = members[a], members[b]
        if not len(own) or not len(other):
            continue
        between = deviation[b] - deviation[a]
        forth, back = shares[own] @ between, shares[other] @ between
        change = (
            (squares[own] + forth)[:, None]
            + (squares[other] - back)[None, :]
            - 2 * shares[own] @ shares[other].T
        )
        row, column = np.unravel_index(int(change.argmin()), change.shape)
        if change[row, column] < -LEAST_GAIN:
            return [(int(own[row]), b), (int(other[column]), a)]
    return None
