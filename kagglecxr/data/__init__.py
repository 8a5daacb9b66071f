"""From image files to balanced batches: settings, index, folds, cache, samplers, sequences."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kagglecxr.data.competition import Competition, load_competition
    from kagglecxr.data.sequences.sequence import BalancedSequence

__all__ = ["BalancedSequence", "Competition", "load_competition"]


def __getattr__(name: str) -> object:
    """Imports Keras only when the sequence is used."""
    if name == "BalancedSequence":
        from kagglecxr.data.sequences.sequence import BalancedSequence

        return BalancedSequence
    if name in __all__:
        from kagglecxr.data import competition

        return getattr(competition, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
