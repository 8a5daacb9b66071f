"""What a later run knows of a download."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kagglecxr.remote.archives import FileFacts
from kagglecxr.remote.downloads.manifest import Manifest, read_manifest, write_manifest
from tests.remote.downloads.conftest import COMPETITION, DATASET

FACTS = st.builds(FileFacts, st.integers(0), st.none() | st.integers(0, 2**32 - 1))
MANIFESTS = st.builds(
    Manifest,
    st.just("dataset"),
    st.just(DATASET.slug),
    st.booleans(),
    st.dictionaries(st.text(), FACTS),
)


@given(manifest=MANIFESTS)
def test_it_is_read_as_it_was_written(
    manifest: Manifest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "download.json"
    write_manifest(path, manifest)
    assert read_manifest(path) == manifest
    assert manifest.is_of(DATASET)
    assert not manifest.is_of(COMPETITION)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"files": []}', '{"files": {"x": 3}}'])
def test_what_is_no_manifest_is_none(text: str, tmp_path: Path) -> None:
    path = tmp_path / "download.json"
    assert read_manifest(path) is None
    path.write_text(text)
    assert read_manifest(path) is None


def test_files_that_are_gone_or_of_another_size_are_not_there(tmp_path: Path) -> None:
    manifest = Manifest("dataset", "mary/lungs", True, dict.fromkeys("abc", FileFacts(1)))
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"22")
    assert manifest.not_there(tmp_path) == ["b", "c"]
    assert manifest.size == 3
