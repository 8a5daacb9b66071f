"""What a download moves that is killed again and again: python -m benchmarks.downloading.

A stand-in for Kaggle on this machine serves a zip archive to the verb, whose real client runs in a
process of its own. Ten times that process is killed (SIGKILL) after a random number of bytes; the
eleventh go runs to its end. Counted are the bytes that the server sent, those included that a
killed client never took, or took and did not write.
"""

import argparse
import tempfile
from pathlib import Path
from random import Random

from tests.remote.download.hosted_data import (
    ARCHIVE,
    SLUG,
    KilledDownloads,
    client_environment,
    files_under,
    host_files,
    random_files,
    zipped,
)
from tests.remote.fake_kaggle import FakeKaggle

FILE = 2**19


def measure(megabytes: int, kills: int, seed: int) -> None:
    """Downloads an archive, killed at random, and prints what was moved."""
    random = Random(seed)
    files = random_files(megabytes * 10**6 // FILE, FILE, seed)
    archive = zipped(files)
    with tempfile.TemporaryDirectory() as folder, FakeKaggle().running() as fake_kaggle:
        home = Path(folder)
        description = home / "killed.toml"
        description.write_text(
            f'name = "killed"\n[source]\nkind = "competition"\nslug = "{SLUG}"\n'
        )
        killing = KilledDownloads([str(description)], home, client_environment(home, fake_kaggle))
        host_files(fake_kaggle, files, archive)
        fake_kaggle.on(ARCHIVE, killing.store(archive))
        while len(killing.goes) < kills:
            status = killing.go(random.uniform(0, 2 * len(archive) / (kills + 1)))
            print(f"go {len(killing.goes):2}: {killing.goes[-1]:>11,} bytes, status {status}")
        status = killing.go()
        print(f"last go: {killing.goes[-1]:>9,} bytes, status {status}")
        whole = files_under(home / "work" / "killed" / "raw") == files
        print(
            f"{len(archive):,} bytes of archive, {killing.sent:,} moved "
            f"({killing.sent / len(archive):.3f} times), the files are "
            f"{'whole' if whole else 'NOT WHOLE'}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    measure(arguments.megabytes, arguments.kills, arguments.seed)
