"""Files arrive as they were sent, once, and whole or not at all."""

import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kagglecxr.training.cluster import file_bundle
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
from tests.training.cluster.conftest import same_chunk

FILES = st.dictionaries(
    st.lists(st.sampled_from(["a", "b.c", "ü"]), min_size=1, max_size=3).map("/".join),
    st.binary(max_size=40),
    max_size=4,
).filter(lambda files: not any(b.startswith(f"{a}/") for a in files for b in files))


def write_files(folder: Path, files: dict[str, bytes]) -> dict[str, Path]:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return {name: folder / name for name in files}


@settings(deadline=None, max_examples=25)
@given(files=FILES)
def test_files_arrive_as_they_were_sent(
    files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("bundles")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file_bundle, "CHUNK_BYTES", 7)
        sent = pack(write_files(root / "here", files), same_chunk)
    assert read_folder(unpack(sent, root / "there", same_chunk)) == files
    assert {name: sum(map(len, chunks)) for name, chunks in sent.files.items()} == {
        name: len(content) for name, content in files.items()
    }


@settings(deadline=None, max_examples=25)
@given(one=FILES, other=FILES)
def test_other_files_have_another_name(
    one: dict[str, bytes], other: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("bundles")
    digests = [
        pack(write_files(root / str(number), files), same_chunk).digest
        for number, files in enumerate((one, other))
    ]
    assert (digests[0] == digests[1]) == (one == other)


@pytest.fixture
def sent(tmp_path: Path) -> FileBundle:
    return pack(write_files(tmp_path / "here", {"a": b"one", "b/c": b"two"}), same_chunk)


def test_two_tasks_that_unpack_a_bundle_at_once_write_it_once(
    sent: FileBundle, tmp_path: Path
) -> None:
    fetched: list[bytes] = []
    started, folders = threading.Barrier(4), list[Path]()

    def get(chunk: Chunk) -> Chunk:
        fetched.append(chunk.tobytes())
        return chunk

    def task() -> None:
        started.wait()
        folders.append(unpack(sent, tmp_path / "there", get))

    threads = [threading.Thread(target=task) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert folders == [tmp_path / "there" / sent.digest] * 4
    assert sorted(fetched) == [b"one", b"two"]


def test_a_partly_unpacked_bundle_is_not_used(sent: FileBundle, tmp_path: Path) -> None:
    class KilledError(Exception):
        pass

    def get(chunk: Chunk) -> Chunk:
        if chunk.tobytes() == b"two":
            raise KilledError
        return chunk

    with pytest.raises(KilledError):
        unpack(sent, tmp_path / "there", get)
    assert not (tmp_path / "there" / sent.digest).exists()
    assert read_folder(unpack(sent, tmp_path / "there", same_chunk)) == {"a": b"one", "b/c": b"two"}


def test_a_removed_file_is_unpacked_again(sent: FileBundle, tmp_path: Path) -> None:
    folder = unpack(sent, tmp_path / "there", same_chunk)
    (folder / "a").unlink()
    assert read_folder(unpack(sent, tmp_path / "there", same_chunk)) == {"a": b"one", "b/c": b"two"}


def test_a_folder_is_replaced_completely(tmp_path: Path) -> None:
    write_files(tmp_path / "fold-0", {"resume.json": b"{}"})
    replace_folder(tmp_path / "fold-0", {"fold.json": b"1", "log/x": b"2"})
    assert read_folder(tmp_path) == {"fold-0/fold.json": b"1", "fold-0/log/x": b"2"}


def test_a_folder_that_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    write_files(tmp_path / "fold-0", {"resume.json": b"{}"})
    with pytest.raises(OSError):  # noqa: PT011 whichever the system has for it
        replace_folder(tmp_path / "fold-0", {"a": b"1", "a/b": b"2"})
    assert read_folder(tmp_path) == {"fold-0/resume.json": b"{}"}


def test_features_and_other_caches_stay_where_they_are(demo: PreparedDemo) -> None:
    key = demo.prepared.cache.key
    assert set(workspace_files(demo.workspace)) == {
        "index.csv", "folds.csv", "prepare.json",
        f"cache/{key}/cache.json", f"cache/{key}/images.npy", f"cache/{key}/measures.npy",
    }  # fmt: skip


def test_bundles_are_unpacked_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLECXR_CLUSTER_FOLDER", str(tmp_path))
    assert bundle_root() == tmp_path
    monkeypatch.delenv("KAGGLECXR_CLUSTER_FOLDER")
    assert bundle_root().name.startswith("kagglecxr-")
