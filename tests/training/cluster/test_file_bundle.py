"""Files arrive as they were sent, once, and whole or not at all."""

import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kagglecxr.training.cluster import file_bundle as parcels
from kagglecxr.training.cluster.file_bundle import (
    Chunk,
    FileBundle,
    bundle_root,
    pack,
    read_folder,
    replace_folder,
    unpack,
    workspace_files,
)
from tests.conftest import PreparedDemo

FILES = st.dictionaries(
    st.lists(st.sampled_from(["a", "b.c", "ü"]), min_size=1, max_size=3).map("/".join),
    st.binary(max_size=40),
    max_size=4,
).filter(lambda files: not any(b.startswith(f"{a}/") for a in files for b in files))


def itself(piece: Chunk) -> Chunk:
    """A store that keeps a piece by handing it back."""
    return piece


def written(folder: Path, files: dict[str, bytes]) -> dict[str, Path]:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return {name: folder / name for name in files}


@settings(deadline=None, max_examples=25)
@given(files=FILES)
def test_files_arrive_as_they_were_sent(
    files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("parcels")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parcels, "CHUNK_BYTES", 7)
        sent = pack(written(root / "here", files), itself)
    assert read_folder(unpack(sent, root / "there", itself)) == files
    assert {name: sum(map(len, pieces)) for name, pieces in sent.files.items()} == {
        name: len(content) for name, content in files.items()
    }


@settings(deadline=None, max_examples=25)
@given(one=FILES, other=FILES)
def test_other_files_have_another_name(
    one: dict[str, bytes], other: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("parcels")
    digests = [
        pack(written(root / str(number), files), itself).digest
        for number, files in enumerate((one, other))
    ]
    assert (digests[0] == digests[1]) == (one == other)


@pytest.fixture
def sent(tmp_path: Path) -> FileBundle:
    return pack(written(tmp_path / "here", {"a": b"one", "b/c": b"two"}), itself)


def test_two_tasks_that_want_a_parcel_at_once_write_it_once(
    sent: FileBundle, tmp_path: Path
) -> None:
    asked: list[bytes] = []
    started, folders = threading.Barrier(4), list[Path]()

    def get(piece: Chunk) -> Chunk:
        asked.append(piece.tobytes())
        return piece

    def task() -> None:
        started.wait()
        folders.append(unpack(sent, tmp_path / "there", get))

    threads = [threading.Thread(target=task) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert folders == [tmp_path / "there" / sent.digest] * 4
    assert sorted(asked) == [b"one", b"two"]


def test_what_a_kill_left_is_no_parcel(sent: FileBundle, tmp_path: Path) -> None:
    class KilledError(Exception):
        pass

    def get(piece: Chunk) -> Chunk:
        if piece.tobytes() == b"two":
            raise KilledError
        return piece

    with pytest.raises(KilledError):
        unpack(sent, tmp_path / "there", get)
    assert not (tmp_path / "there" / sent.digest).exists()
    assert read_folder(unpack(sent, tmp_path / "there", itself)) == {"a": b"one", "b/c": b"two"}


def test_a_file_that_was_cleaned_away_comes_again(sent: FileBundle, tmp_path: Path) -> None:
    folder = unpack(sent, tmp_path / "there", itself)
    (folder / "a").unlink()
    assert read_folder(unpack(sent, tmp_path / "there", itself)) == {"a": b"one", "b/c": b"two"}


def test_a_folder_that_comes_back_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    written(tmp_path / "fold-0", {"resume.json": b"{}"})
    replace_folder(tmp_path / "fold-0", {"fold.json": b"1", "log/x": b"2"})
    assert read_folder(tmp_path) == {"fold-0/fold.json": b"1", "fold-0/log/x": b"2"}


def test_a_folder_that_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    written(tmp_path / "fold-0", {"resume.json": b"{}"})
    with pytest.raises(OSError):  # noqa: PT011 whichever the system has for it
        replace_folder(tmp_path / "fold-0", {"a": b"1", "a/b": b"2"})
    assert read_folder(tmp_path) == {"fold-0/resume.json": b"{}"}


def test_features_and_other_caches_stay_where_they_are(demo: PreparedDemo) -> None:
    key = demo.prepared.cache.key
    assert set(workspace_files(demo.workspace)) == {
        "index.csv", "folds.csv", "prepare.json",
        f"cache/{key}/cache.json", f"cache/{key}/images.npy", f"cache/{key}/measures.npy",
    }  # fmt: skip


def test_a_machine_keeps_parcels_where_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLECXR_CLUSTER_FOLDER", str(tmp_path))
    assert bundle_root() == tmp_path
    monkeypatch.delenv("KAGGLECXR_CLUSTER_FOLDER")
    assert bundle_root().name.startswith("kagglecxr-")
