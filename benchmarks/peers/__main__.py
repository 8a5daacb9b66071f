"""Plays the contests, and writes docs/benchmarks.md of all that were ever played here.

Run: python -m benchmarks.peers [CONTEST ...] [--quick]

Each peer gets an environment of its own from the package registry, in .venv-peers. `--quick` plays
one short round and writes nothing: it says whether everything runs.
"""

import sys
import tempfile
from pathlib import Path

from benchmarks.files import write_files
from benchmarks.peers.contest import Outcome, play, table
from benchmarks.peers.contests import CONTESTS
from kagglecxr.core.files import write_text

ROUNDS = 5
RESULTS, PAGE = Path("benchmarks/peers/results"), Path("docs/benchmarks.md")
HEAD = """# Benchmarks

Written by `python -m benchmarks.peers`, never by hand: each peer from the package registry in an
environment of its own, the same files, run in turn. Where this package is "ahead" by less than 1,
it is behind.
"""


def main() -> None:
    """Plays what is named, or all."""
    quick = "--quick" in sys.argv
    named = [word for word in sys.argv[1:] if word != "--quick"] or list(CONTESTS)
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "files"
        write_files(files)
        for name in named:
            outcome = play(CONTESTS[name], files, 1 if quick else ROUNDS, quick=quick)
            if quick:
                print(table(CONTESTS[name], outcome))
            else:
                outcome.write(RESULTS / f"{name}.json")
    if not quick:
        write_page()


def write_page() -> None:
    """Writes the page of all outcomes that are kept."""
    kept = [(c, RESULTS / f"{name}.json") for name, c in CONTESTS.items()]
    tables = [table(contest, Outcome.read(path)) for contest, path in kept if path.is_file()]
    write_text(PAGE, "\n\n".join([HEAD.rstrip(), *tables]) + "\n")
    print(f"Wrote {PAGE}.")


if __name__ == "__main__":
    main()
