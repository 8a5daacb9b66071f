"""Where a competition's data come from, and those of the data sets it merges."""

from dataclasses import dataclass
from pathlib import Path

from kagglecxr.data.competition import PRESETS, Competition, load_competition, preset_names
from kagglecxr.data.sections import Source


@dataclass(frozen=True)
class MergedSource:
    """A data set that joins a competition's training part.

    Attributes:
        data: as the competition names it.
        folder: where it is expected.
        source: where it comes from; None where no preset tells.
        is_brought: it is in the data's folder already.
    """

    data: str
    folder: Path
    source: Source | None
    is_brought: bool


def merged_sources(competition: Competition, root: Path) -> list[MergedSource]:
    """The data sets a competition merges; a preset of the same name tells where one comes from.

    Args:
        competition: its description.
        root: its own data's folder; theirs lie beside it.
    """
    return [
        MergedSource(
            part.data,
            root.parent / Path(part.data).expanduser(),
            _source_of(part.data),
            (root / part.data).is_dir(),
        )
        for part in competition.merge
    ]


def _source_of(data: str) -> Source | None:
    source = load_competition(data).source if data in preset_names() else None
    return source if source and source.kind in ("competition", "dataset") else None


def hashes_file(name: str, competition: Competition) -> Path | None:
    """The list of hashes that a competition's TOML names, which lies beside it.

    Args:
        name: the preset or the TOML file the competition was loaded by.
        competition: its description.
    """
    listed = competition.source.sha256sums
    if not listed:
        return None
    folder = PRESETS if name in preset_names() else Path(name).parent
    return folder / listed
