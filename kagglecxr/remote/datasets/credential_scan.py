"""What may lie in a dataset's folder: what was packed for it, and no credentials."""

import fnmatch
import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from kagglecxr.core.errors import DataError, MissingError
from kagglecxr.core.files import read_json
from kagglecxr.remote.credentials import credential_sources
from kagglecxr.remote.datasets.dataset_metadata import DATASET_METADATA

UPLOAD_PATTERNS = ("*.whl", "*.zip")
"""What the kit itself packs."""
_NAMES = (
    "kaggle.json", "access_token*", "credentials.json", "client_secret*.json",
    "service_account*.json", ".env", ".env.*", ".netrc", "_netrc", ".pypirc", ".npmrc",
    ".git-credentials", ".htpasswd", "secrets.toml", "secrets.json", "id_rsa*", "id_dsa*",
    "id_ecdsa*", "id_ed25519*", "*.pem", "*.key", "*.p12", "*.pfx", "*.kdbx",
)  # fmt: skip
# Shorter ones would be found by chance.
_MIN_LENGTH = 8
_CHUNK = 2**20
# A run's archive holds its predictions' archives; one that holds itself would never end.
_MAX_DEPTH = 3
# Archives that are broken, encrypted or compressed in a way of their own.
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)


def upload_files(folder: Path, expected: Sequence[str] = UPLOAD_PATTERNS) -> list[Path]:
    """The files of a dataset's folder by their names, all of them fit to be sent.

    Args:
        folder: with the metadata, and no folder in it, which the client would leave out unasked.
        expected: patterns of the names of what belongs there.

    Raises:
        DataError: one does not belong there, or may hold credentials, packed in an archive or not.
        MissingError: there is none.
    """
    files = sorted(path for path in folder.iterdir() if path.name != DATASET_METADATA)
    if not files:
        raise MissingError(
            f"A dataset's folder has no file to send. Looked in: {folder}. Run: python -m "
            "kagglecxr.kernel build"
        )
    secrets = _user_secrets()
    for path in [*files, folder / DATASET_METADATA]:
        if _is_credential_name(path.name):
            raise _credentials_error(path.name, folder)
        is_known = path.name == DATASET_METADATA or any(
            fnmatch.fnmatch(path.name, name) for name in expected
        )
        if path.is_symlink() or not path.is_file() or not is_known:
            raise DataError(
                f"A dataset's folder holds what was not packed for it. Received: {path.name} in "
                f"{folder}. Move it elsewhere; expected are files {' and '.join(expected)}."
            )
        with path.open("rb") as stream:
            for where in _find_credentials(stream, path.name, secrets):
                raise _credentials_error(where, folder)
    return files


def _credentials_error(where: str, folder: Path) -> DataError:
    return DataError(
        f"A file that is to be sent may hold credentials. Received: {where} in {folder}. Remove "
        "it, and never publish it; credentials that were published have to be made anew."
    )


def _is_credential_name(name: str) -> bool:
    return any(fnmatch.fnmatch(Path(name).name.lower(), pattern) for pattern in _NAMES)


def _find_credentials(
    stream: IO[bytes], name: str, secrets: Sequence[bytes], depth: int = 0
) -> Iterator[str]:
    """The names under which the stream, or what is packed in it, holds credentials."""
    if _contains(stream, secrets):
        yield name
    stream.seek(0)
    if not zipfile.is_zipfile(stream):
        return
    if depth == _MAX_DEPTH:
        yield f"{name}, which is packed too deep"
        return
    try:
        with zipfile.ZipFile(stream) as archive:
            for member in archive.infolist():
                where = f"{name}/{member.filename}"
                if _is_credential_name(member.filename):
                    yield where
                elif not member.is_dir():
                    with archive.open(member) as inside:
                        yield from _find_credentials(inside, where, secrets, depth + 1)
    except _UNREADABLE:
        yield f"{name}, which cannot be looked into"


def _contains(stream: IO[bytes], secrets: Sequence[bytes]) -> bool:
    longest = max(map(len, secrets), default=0)
    before = b""
    while chunk := stream.read(_CHUNK):
        seen = before + chunk
        if any(secret in seen for secret in secrets):
            return True
        before = seen[-longest:]
    return False


def _user_secrets() -> list[bytes]:
    """The keys and tokens of this machine's user, only ever searched for."""
    texts = [os.environ.get("KAGGLE_KEY", "")]
    places = [Path(place.name) for place in credential_sources()]
    # The variable holds a token, or names a file that does.
    if token := os.environ.get("KAGGLE_API_TOKEN"):
        named = _existing_file(token)
        places += [named] if named else []
        texts += [] if named else [token]
    for path in filter(Path.is_file, places):
        texts += _read_secrets(path)
    return sorted({text.strip().encode() for text in texts if len(text.strip()) >= _MIN_LENGTH})


def _existing_file(text: str) -> Path | None:
    try:
        return Path(text) if Path(text).is_file() else None
    except OSError:
        # A token is longer than a name may be.
        return None


def _read_secrets(path: Path) -> Iterator[str]:
    if path.suffix != ".json":
        yield path.read_text(encoding="utf-8", errors="replace")
        return
    try:
        values = read_json(path)
    except (json.JSONDecodeError, UnicodeDecodeError, ValueError):
        return
    for key in ("key", "access_token", "refresh_token"):
        yield str(values.get(key, ""))
