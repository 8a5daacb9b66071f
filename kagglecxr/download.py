"""The verb `download`: a competition's data from Kaggle into the workspace."""

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
    """Downloads a competition's data from Kaggle, verifies and unpacks it into raw/.

    Example: python -m kagglecxr.download umons-covid19

    Args:
        competition: A preset's name, or a TOML file.
        file: Only this file, by its name on Kaggle; can be given several times.
        again: Download files again that exist.
        common: Options of every verb.
    """
    from kagglecxr.data.competition import hashes_file, load_competition
    from kagglecxr.data.files.merging import merged_sources
    from kagglecxr.remote.download.downloader import (
        DownloadOptions,
        download_data,
        holds_other_data,
    )
    from kagglecxr.remote.download.source import KaggleSource
    from kagglecxr.remote.download.verify import read_sha256sums

    described = load_competition(competition)
    raw = common.workspace(described.name).raw
    sums_file = hashes_file(competition, described)
    options = DownloadOptions(file, again, read_sha256sums(sums_file) if sums_file else {})
    source = KaggleSource.of(described.source.kind, described.source.slug, competition)
    results = [str(download_data(source, raw, options, common.terminal))]
    for merged in [] if file else merged_sources(described, raw):
        if merged.source is None:
            results.append(f"It also merges {merged.data}: copy that to {merged.folder}.")
        elif not (merged.is_brought or holds_other_data(merged.folder)):
            other = KaggleSource.of(merged.source.kind, merged.source.slug, competition)
            options = DownloadOptions(again=again)
            results.append(str(download_data(other, merged.folder, options, common.terminal)))
    common.finish(" ".join(results), f"python -m kagglecxr.prepare {competition}")


if __name__ == "__main__":
    run_verb(download)
