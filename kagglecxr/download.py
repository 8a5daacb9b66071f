"""The verb `download`: a competition's data from Kaggle, whole, into the workspace."""

from typing import Annotated

from cyclopts import Parameter

from kagglecxr.core.verb import Common, play


def download(
    competition: str,
    *,
    file: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    again: Annotated[bool, Parameter(negative="")] = False,
    common: Common = Common(),  # noqa: B008 frozen
) -> None:
    """Fetches a competition's data from Kaggle, checks and unpacks them into the workspace's raw/.

    Example: python -m kagglecxr.download umons-covid19

    Args:
        competition: A preset's name, or a TOML file.
        file: Only this file, by the name that Kaggle lists; can be told again for more.
        again: Fetch what is there as well.
        common: Options of every verb.
    """
    from kagglecxr.data.competition import load_competition
    from kagglecxr.data.sources import hashes_file, merged_sources
    from kagglecxr.remote.downloads.checking import read_sums
    from kagglecxr.remote.downloads.downloading import Request, download_data, is_not_ours
    from kagglecxr.remote.downloads.manner import Manner
    from kagglecxr.remote.downloads.origin import Origin

    described = load_competition(competition)
    raw = common.workspace(described.name).raw
    listed = hashes_file(competition, described)
    request = Request(file, again, read_sums(listed) if listed else {})
    manner = Manner(common.terminal)
    origin = Origin.of(described.source.kind, described.source.slug, competition)
    lines = [str(download_data(origin, raw, request, manner))]
    for merged in [] if file else merged_sources(described, raw):
        if merged.source is None:
            lines.append(f"It merges {merged.data} as well: put that into {merged.folder}.")
        elif not (merged.is_brought or is_not_ours(merged.folder)):
            further = Origin.of(merged.source.kind, merged.source.slug, competition)
            done = download_data(further, merged.folder, Request(again=again), manner)
            lines.append(str(done))
    common.end(" ".join(lines), f"python -m kagglecxr.prepare {competition}")


if __name__ == "__main__":
    play(download)
