"""Kaggle's medals: up to which rank a competition of so many teams awards them.

https://www.kaggle.com/progression, read in 2026. Competitions of the kinds Community, Playground
and Getting Started usually award none, so there the zones only say how good a rank is.
"""

from dataclasses import asdict, dataclass

FEWEST_TEAMS = 10
"""Smaller leaderboards have no gold medal, so their zones are not worth showing."""


@dataclass(frozen=True)
class Medals:
    """The last rank of each medal; 0 where it is not awarded."""

    gold: int
    silver: int
    bronze: int


def medal_ranks(teams: int) -> Medals:
    """Returns the last rank of each medal; shares are rounded down, as Kaggle does."""
    if teams < 100:
        return Medals(teams // 10, teams // 5, teams * 2 // 5)
    if teams < 250:
        return Medals(10, teams // 5, teams * 2 // 5)
    # One more gold medal for every 500 teams.
    gold = 10 + teams // 500
    return Medals(gold, 50, 100) if teams < 1000 else Medals(gold, teams // 20, teams // 10)


def medal_of(rank: int, teams: int) -> str | None:
    """Returns the medal of a rank, counted from 1; None where it has none."""
    lasts = asdict(medal_ranks(teams)).items()
    return next((medal for medal, last in lasts if rank <= last), None)


def describe_zone(rank: int, teams: int) -> str:
    """Returns the medal zone of a rank, or where the zones end; empty on a small leaderboard.

    >>> describe_zone(60, 1200), describe_zone(130, 1200)
    ('silver medal zone', 'bronze medals end at rank 120')
    """
    if teams < FEWEST_TEAMS:
        return ""
    medal = medal_of(rank, teams)
    if medal is None:
        return f"bronze medals end at rank {medal_ranks(teams).bronze}"
    return f"{medal} medal zone"
