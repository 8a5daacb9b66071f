"""The verb `download`: a competition's data from Kaggle into the workspace."""

import sys
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
    from kagglecxr.remote.download.downloader import download_data, holds_other_data
    from kagglecxr.remote.download.source import (
        KaggleSource,
        describe_steps,
        read_sha256sums,
    )

    described = load_competition(competition)
    workspace = common.workspace(described.name, competition)
    raw = workspace.raw
    if described.source.steps:
        sys.stdout.write(describe_steps(described.source.steps, workspace.root))
        common.finish("Nothing was downloaded.", workspace.command("prepare"))
        return
    sums_file = hashes_file(competition, described)
    sums = read_sha256sums(sums_file) if sums_file else {}
    source = KaggleSource.of(described.source.kind, described.source.slug, competition)
    done = download_data(source, raw, common.terminal, files=file, again=again, sums=sums)
    results = [str(done)]
    for merged in [] if file else merged_sources(described, raw):
        if merged.source is None:
            results.append(f"It also merges {merged.data}: copy that to {merged.folder}.")
        elif not (merged.is_brought or holds_other_data(merged.folder)):
            other = KaggleSource.of(merged.source.kind, merged.source.slug, competition)
            done = download_data(other, merged.folder, common.terminal, again=again)
            results.append(str(done))
    common.finish(" ".join(results), workspace.command("prepare"))


if __name__ == "__main__":
    run_verb(download)
