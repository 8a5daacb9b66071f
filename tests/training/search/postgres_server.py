"""A PostgreSQL server of the tests' own: in a folder of its own, on a socket there alone."""

import contextlib
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

# A password as it should be, with letters that a URL has to escape.
PASSWORD = f"p@ss/{secrets.token_hex(8)}#%"
USER = "kagglecxr"


def find_binaries() -> Path | None:
    """Where initdb and pg_ctl are: on the path, or where Debian puts them."""
    found = shutil.which("initdb")
    if found and shutil.which("pg_ctl"):
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return versions[-1].parent if versions else None


def unprivileged() -> list[str]:
    """What stands before a command, since PostgreSQL refuses to be run by root."""
    if os.geteuid() != 0:
        return []
    return ["runuser", "-u", "postgres", "--"]


@contextlib.contextmanager
def private_server(binaries: Path) -> Iterator[Path]:
    """The folder of a running server's socket; it is killed and removed at the end."""
    # A socket's path is short, and pytest's folders may not be entered by another user.
    folder = Path(tempfile.mkdtemp(prefix="cxr-pg-"))
    data, password = folder / "data", folder / "password"
    password.write_text(PASSWORD)
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    try:
        if os.geteuid() == 0:
            for path in (folder, password):
                shutil.chown(path, "postgres")
        _run(binaries / "initdb", "-D", data, "-U", USER, "-A", "scram-sha-256", "--no-sync",
             "-E", "UTF8", "--no-locale", f"--pwfile={password}")  # fmt: skip
        _run(binaries / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start")
        try:
            yield folder
        finally:
            _run(binaries / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder)


def _run(*words: object) -> None:
    subprocess.run(
        [*unprivileged(), *map(str, words)],
        check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/",
    )  # fmt: skip
