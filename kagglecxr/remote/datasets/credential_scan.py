"""Checks a dataset's folder before it is sent: only packed files, and no credentials in them."""

import fnmatch
import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from kagglecxr.core.errors import DataError, MissingError
from kagglecxr.core.files import read_json
from kagglecxr.remote.credentials import credential_sources
from kagglecxr.remote.datasets.kaggle_dataset import DatasetMetadata

_PACKED = ("*.whl", "*.zip")
_CREDENTIAL_NAMES = (
    "kaggle.json", "access_token*", "credentials.json", "client_secret*.json",
    "service_account*.json", ".env", ".env.*", ".netrc", "_netrc", ".pypirc", ".npmrc",
    ".git-credentials", ".htpasswd", "secrets.toml", "secrets.json", "id_rsa*", "id_dsa*",
    "id_ecdsa*", "id_ed25519*", "*.pem", "*.key", "*.p12", "*.pfx", "*.kdbx",
)  # fmt: skip
# Shorter secrets would be found by chance.
_MIN_LENGTH = 8
_CHUNK = 2**20
# A run's archive holds .npz archives; one that holds itself would never end.
_MAX_DEPTH = 3
# Raised for archives that are broken, encrypted or compressed by an unknown method.
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)


def upload_files(folder: Path) -> list[Path]:
    """Lists the files of a dataset's folder, sorted by name, and checks each.

    Raises:
        DataError: a file does not belong there, or may hold credentials, in an archive or not.
        MissingError: the folder has no file but the metadata.
    """
    files = sorted(path for path in folder.iterdir() if path.name != DatasetMetadata.FILE)
    if not files:
        raise MissingError(
            f"The dataset folder has no file to send. Looked in: {folder}. Run: python -m "
            "kagglecxr.kernel build"
        )
    secrets = _user_secrets()
    for path in [*files, folder / DatasetMetadata.FILE]:
        if _matches(path.name.lower(), _CREDENTIAL_NAMES):
            raise _credentials_error(path.name, folder)
        is_packed = _matches(path.name, (*_PACKED, DatasetMetadata.FILE))
        if path.is_symlink() or not path.is_file() or not is_packed:
            raise DataError(
                f"The dataset folder holds a file that was not packed for it. Received: "
                f"{path.name} in {folder}. Move it elsewhere; expected are files "
                f"{' and '.join(_PACKED)}."
            )
        with path.open("rb") as stream:
            for where in _find_credentials(stream, path.name, secrets):
                raise _credentials_error(where, folder)
    return files


def _credentials_error(where: str, folder: Path) -> DataError:
    return DataError(
        f"A file of the dataset may hold credentials. Received: {where} in {folder}. Remove it, "
        "and never publish it; credentials that were published have to be revoked."
    )


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def _find_credentials(
    stream: IO[bytes], name: str, secrets: Sequence[bytes], depth: int = 0
) -> Iterator[str]:
    """Yields the names under which the stream, or a member of an archive, holds credentials."""
    if _contains(stream, secrets):
        yield name
    stream.seek(0)
    if not zipfile.is_zipfile(stream):
        return
    if depth == _MAX_DEPTH:
        yield f"{name}, an archive nested too deep to be checked"
        return
    try:
        with zipfile.ZipFile(stream) as archive:
            for member in archive.infolist():
                where = f"{name}/{member.filename}"
                if _matches(Path(member.filename).name.lower(), _CREDENTIAL_NAMES):
                    yield where
                elif not member.is_dir():
                    with archive.open(member) as inside:
                        yield from _find_credentials(inside, where, secrets, depth + 1)
    except _UNREADABLE:
        yield f"{name}, an archive that cannot be read"


def _contains(stream: IO[bytes], secrets: Sequence[bytes]) -> bool:
    longest = max(map(len, secrets), default=0)
    tail = b""
    while chunk := stream.read(_CHUNK):
        window = tail + chunk
        if any(secret in window for secret in secrets):
            return True
        tail = window[-longest:]
    return False


def _user_secrets() -> list[bytes]:
    """The keys and tokens of this machine's user, for the search only."""
    texts = [os.environ.get("KAGGLE_KEY", "")]
    paths = [Path(source.name) for source in credential_sources()]
    # The variable holds a token, or names a file that does.
    if token := os.environ.get("KAGGLE_API_TOKEN"):
        if _is_file(token):
            paths.append(Path(token))
        else:
            texts.append(token)
    for path in filter(Path.is_file, paths):
        texts += _read_secrets(path)
    return sorted({text.strip().encode() for text in texts if len(text.strip()) >= _MIN_LENGTH})


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except OSError:
        # A token may be longer than a file's name can be.
        return False


def _read_secrets(path: Path) -> list[str]:
    if path.suffix != ".json":
        return [path.read_text(encoding="utf-8", errors="replace")]
    try:
        values = read_json(path)
    except ValueError:
        return []
    return [str(values.get(key, "")) for key in ("key", "access_token", "refresh_token")]
