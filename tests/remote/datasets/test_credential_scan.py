"""Nothing is sent that holds credentials, or that nobody packed."""

import io
import os
import zipfile
from pathlib import Path

import pytest

from kagglecxr.core.errors import DataError, MissingError
from kagglecxr.remote.datasets import credential_scan
from kagglecxr.remote.datasets.credential_scan import upload_files
from kagglecxr.remote.datasets.kaggle_dataset import DatasetMetadata
from tests.remote.conftest import KEY
from tests.remote.datasets.conftest import METADATA
from tests.remote.fake_kaggle import FakeKaggle


@pytest.fixture
def folder(fake_kaggle: FakeKaggle, tmp_path: Path) -> Path:
    """Two files that may be sent, and a key in the environment."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    DatasetMetadata.parse(METADATA).write(folder)
    (folder / "a-1-py3-none-any.whl").write_bytes(zipped({"a/__init__.py": b"", "a/b.npz": b"?"}))
    (folder / "run.zip").write_bytes(zipped({"run/recipe.json": b"{}"}))
    return folder


def zipped(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def refusal(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        upload_files(folder)
    assert KEY not in str(caught.value)
    return str(caught.value)


def test_what_was_packed_is_sent_without_the_metadata(folder: Path) -> None:
    names = [path.name for path in upload_files(folder)]
    assert names == ["a-1-py3-none-any.whl", "run.zip"]


def test_an_empty_folder_is_refused(folder: Path) -> None:
    for path in upload_files(folder):
        path.unlink()
    with pytest.raises(MissingError, match="has no file to send"):
        upload_files(folder)


NAMES = [
    "kaggle.json", "access_token", "access_token.txt", "credentials.json", ".env", ".env.local",
    "server.pem", "id_rsa", "id_ed25519.zip", ".netrc", "Kaggle.JSON", "client_secret_7.json",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_files_that_hold_credentials_are_known_by_name(name: str, folder: Path) -> None:
    (folder / name).write_bytes(b"")
    assert f"may hold credentials. Received: {name} in {folder}" in refusal(folder)


@pytest.mark.parametrize("name", NAMES)
def test_and_in_archives(name: str, folder: Path) -> None:
    (folder / "run.zip").write_bytes(zipped({f"run/{name}": b""}))
    assert f"may hold credentials. Received: run.zip/run/{name} in" in refusal(folder)


@pytest.mark.parametrize("name", ["notes.txt", "images.csv", "__pycache__", "recipe.toml"])
def test_what_does_not_belong_there_is_refused(name: str, folder: Path) -> None:
    (folder / name).write_bytes(b"")
    assert f"was not packed for it. Received: {name} in {folder}" in refusal(folder)


def test_folders_and_links_are_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "b.zip").mkdir()
    assert "Received: b.zip" in refusal(folder)
    (folder / "b.zip").rmdir()
    (tmp_path / "elsewhere").write_bytes(b"")
    (folder / "c.zip").symlink_to(tmp_path / "elsewhere")
    assert "Received: c.zip" in refusal(folder)


def in_wheel(secret: bytes) -> tuple[str, bytes, str]:
    return "b-1-py3-none-any.whl", zipped({"b/keys.py": secret}), "b-1-py3-none-any.whl/b/keys.py"


def in_run(secret: bytes) -> tuple[str, bytes, str]:
    inside = zipped({"truth.npy": secret})
    return "run.zip", zipped({"run/oof.npz": inside}, 0), "run.zip/run/oof.npz/truth.npy"


def raw(secret: bytes) -> tuple[str, bytes, str]:
    return "run.zip", secret, "run.zip"


def across_chunks(secret: bytes) -> tuple[str, bytes, str]:
    return "run.zip", b"-" * (credential_scan._CHUNK - 9) + secret, "run.zip"


def in_metadata(secret: bytes) -> tuple[str, bytes, str]:
    return DatasetMetadata.FILE, b'{"description": "' + secret + b'"}', DatasetMetadata.FILE


@pytest.mark.parametrize("hidden", [in_wheel, in_run, raw, across_chunks, in_metadata])
def test_the_users_own_key_is_found(hidden: object, folder: Path) -> None:
    name, content, where = hidden(b"x = " + KEY.encode() + b"\n")  # type: ignore[operator]
    (folder / name).write_bytes(content)
    assert f"Received: {where} in" in refusal(folder)


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (".kaggle/access_token", "t0ken-0f-mary\n"),
        (".kaggle/access_token.txt", "t0ken-0f-mary"),
        ("kaggle/kaggle.json", '{"username": "mary", "key": "t0ken-0f-mary"}'),
        (".kaggle/credentials.json", '{"refresh_token": "t0ken-0f-mary", "scopes": []}'),
        ("KAGGLE_API_TOKEN", "t0ken-0f-mary"),
        ("KAGGLE_API_TOKEN", "t0ken-0f-mary" * 99),
        ("file named by KAGGLE_API_TOKEN", "t0ken-0f-mary"),
    ],
)
def test_every_place_of_credentials_is_searched_for(
    place: str, text: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path.home() / place
    if place == "KAGGLE_API_TOKEN":
        monkeypatch.setenv(place, text)
    else:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    if place.startswith("file"):
        monkeypatch.setenv("KAGGLE_API_TOKEN", str(path))
    upload_files(folder)
    (folder / "run.zip").write_bytes(zipped({"run/recipe.json": b"t0ken-0f-mary" * 99}))
    assert "Received: run.zip/run/recipe.json" in refusal(folder)


def test_where_the_token_lies_is_no_secret(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path.home() / "token"
    path.write_text("t0ken-0f-mary")
    monkeypatch.setenv("KAGGLE_API_TOKEN", str(path))
    (folder / "run.zip").write_bytes(zipped({"run/recipe.json": str(path).encode()}))
    assert len(upload_files(folder)) == 2


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"key": 7}'])
def test_broken_credentials_hinder_nothing(text: str, folder: Path) -> None:
    path = Path(os.environ["KAGGLE_CONFIG_DIR"], "kaggle.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    assert len(upload_files(folder)) == 2


def test_an_archive_that_cannot_be_looked_into_is_refused(folder: Path) -> None:
    whole = zipped({"run/recipe.json": b"{}" * 500})
    broken = bytearray(whole)
    broken[60] ^= 255
    (folder / "run.zip").write_bytes(broken)
    assert "cannot be read" in refusal(folder)
    inner = whole
    for _ in range(4):
        inner = zipped({"run.zip": inner})
    (folder / "run.zip").write_bytes(inner)
    assert "nested too deep" in refusal(folder)
