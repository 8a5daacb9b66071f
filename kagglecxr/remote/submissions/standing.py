"""A team's place on Kaggle's leaderboard."""

from dataclasses import dataclass
from typing import Any

from kagglecxr.core.progress import Reporter
from kagglecxr.remote.asking import Patience, ask
from kagglecxr.remote.errands import competition_errand

PAGES = 200


@dataclass(frozen=True)
class Place:
    """Where a team stands.

    Attributes:
        rank: 1 is the best.
        teams: how many there are.
        score: the team's best, as Kaggle writes it.
    """

    rank: int
    teams: int
    score: str


def find_place(
    slug: str, team: str, reporter: Reporter, patience: Patience = Patience()
) -> Place | None:
    """The team's place, all pages of the leaderboard read; None where it has none yet."""

    def look(api: Any) -> Place | None:
        lines = _lines(api, slug)
        mine = [i for i, (name, _) in enumerate(lines) if name == team]
        if not mine:
            return None
        return Place(mine[0] + 1, len(lines), lines[mine[0]][1])

    return ask(competition_errand(slug, "the leaderboard"), look, reporter, patience=patience)


def _lines(api: Any, slug: str) -> list[tuple[str, str]]:
    """Team and score of every line.

    The client's own function prints the token of the next page and does not return it.
    """
    from kagglesdk.competitions.types.competition_api_service import ApiGetLeaderboardRequest

    request = ApiGetLeaderboardRequest()
    request.competition_name = slug
    request.page_size = 200
    lines: list[tuple[str, str]] = []
    with api.build_kaggle_client() as client:
        for _ in range(PAGES):
            answer = client.competitions.competition_api_client.get_leaderboard(request)
            lines += [(line.team_name or "", line.score or "") for line in answer.submissions]
            if not answer.next_page_token:
                break
            request.page_token = answer.next_page_token
    return lines
