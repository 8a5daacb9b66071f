"""The verb `download`: a competition's data from Kaggle, whole, into the workspace."""

from typing import Annotated

from cyclopts import Parameter

from kagglecxr.core.cli import CommonOptions, run_verb


def download(
    competition: str,
    *,
    file: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    again: Annotated[bool, Parameter(negative="")] = False,
    common: CommonOptions = CommonOptions(),  # noqa: B008 frozen
) -> None:
    """Fetches a competition's data from Kaggle, checks and unpacks them into the workspace's raw/.

    Example: python -m kagglecxr.download umons-covid19

    Args:
        competition: A preset's name, or a TOML file.
        file: Only this file, by the name that Kaggle lists; can be told again for more.
        again: Fetch what is there as well.
        common: Options of every verb.
    """
    from kagglecxr.data.competition import hashes_file, load_competition
    from kagglecxr.data.files.merging import merged_sources
    from kagglecxr.remote.download.downloader import (
        DownloadOptions,
        download_data,
        holds_other_data,
    )
    from kagglecxr.remote.download.source import DownloadContext, KaggleSource
    from kagglecxr.remote.download.verify import read_sha256sums

    described = load_competition(competition)
    raw = common.workspace(described.name).raw
    listed = hashes_file(competition, described)
    request = DownloadOptions(file, again, read_sha256sums(listed) if listed else {})
    manner = DownloadContext(common.terminal)
    origin = KaggleSource.of(described.source.kind, described.source.slug, competition)
    lines = [str(download_data(origin, raw, request, manner))]
    for merged in [] if file else merged_sources(described, raw):
        if merged.source is None:
            lines.append(f"It merges {merged.data} as well: put that into {merged.folder}.")
        elif not (merged.is_brought or holds_other_data(merged.folder)):
            further = KaggleSource.of(merged.source.kind, merged.source.slug, competition)
            done = download_data(further, merged.folder, DownloadOptions(again=again), manner)
            lines.append(str(done))
    common.finish(" ".join(lines), f"python -m kagglecxr.prepare {competition}")


if __name__ == "__main__":
    run_verb(download)
