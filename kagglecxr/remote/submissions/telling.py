"""Puts into words what became of a submission."""

from kagglecxr.remote.submissions.submitting import Outcome


def tell(outcome: Outcome) -> str:
    """Public score, the change since the last one, rank: a line each."""
    entry = outcome.entry
    scores = f"Public score {entry.public_score}" if entry.public_score else "No public score"
    if entry.private_score:
        scores += f", private {entry.private_score}"
    if entry.local_score:
        scores += f", out-of-fold {float(entry.local_score):.4f}"
    lines = [f"{scores}{_change(outcome)}"]
    if outcome.place is not None:
        place = outcome.place
        lines.append(f"Rank {place.rank} of {place.teams} with the team's best, {place.score}")
    else:
        lines.append("The team is not on the leaderboard yet")
    return "\n".join(lines)


def _change(outcome: Outcome) -> str:
    before, entry = outcome.before, outcome.entry
    try:
        change = float(entry.public_score) - float(before.public_score if before else "")
    except ValueError:
        return ""
    return f" ({change:+.5f} since {before.time if before else ''})"
