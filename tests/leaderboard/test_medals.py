"""Medals: Kaggle's own examples and the edges of its table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kagglecxr.leaderboard.medals import Medals, describe_zone, medal_of, medal_ranks


@pytest.mark.parametrize(
    ("teams", "medals"),
    [
        (1, Medals(0, 0, 0)),
        (9, Medals(0, 1, 3)),  # Kaggle: "a competition with 9 teams will not award any gold medals"
        (99, Medals(9, 19, 39)),
        (100, Medals(10, 20, 40)),
        (249, Medals(10, 49, 99)),
        (250, Medals(10, 50, 100)),
        (499, Medals(10, 50, 100)),
        (500, Medals(11, 50, 100)),  # Kaggle: "500 teams will award gold medals to the top 11"
        (999, Medals(11, 50, 100)),
        (1000, Medals(12, 50, 100)),
        (1199, Medals(12, 59, 119)),
        (5000, Medals(20, 250, 500)),  # Kaggle: "5000 teams ... to the top 20 teams"
    ],
)
def test_the_last_ranks_are_kaggles(teams: int, medals: Medals) -> None:
    assert medal_ranks(teams) == medals


@given(st.integers(0, 20_000))
def test_medals_are_ordered_and_more_teams_win_no_fewer(teams: int) -> None:
    few, more = medal_ranks(teams), medal_ranks(teams + 1)
    assert 0 <= few.gold <= few.silver <= few.bronze <= max(teams // 2, 1)
    assert few.gold <= more.gold
    assert few.silver <= more.silver
    assert few.bronze <= more.bronze


@pytest.mark.parametrize(
    ("rank", "teams", "medal", "zone"),
    [
        (12, 1000, "gold", "gold medal zone"),
        (13, 1000, "silver", "silver medal zone"),
        (51, 1000, "bronze", "bronze medal zone"),
        (101, 1000, None, "bronze medals end at rank 100"),
        (1, 10, "gold", "gold medal zone"),
        (1, 9, "silver", ""),
        (1, 2, None, ""),
    ],
)
def test_the_zone_of_a_rank(rank: int, teams: int, medal: str | None, zone: str) -> None:
    assert medal_of(rank, teams) == medal
    assert describe_zone(rank, teams) == zone
