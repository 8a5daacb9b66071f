"""dataset-metadata.json follows Kaggle's rules, or a sentence names the one it breaks."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kagglecxr.core.errors import MissingError, SettingError
from kagglecxr.remote.datasets.kaggle_dataset import LICENSES, DatasetMetadata
from tests.remote.datasets.conftest import METADATA


@pytest.mark.parametrize(
    ("changes", "received", "rule"),
    [
        ({"id": "kit-wheels"}, "id 'kit-wheels'", "write owner/slug"),
        ({"id": "mary/Kit Wheels"}, "id", "write owner/slug"),
        ({"id": "mary/kit-wheels/2"}, "id", "write owner/slug"),
        ({"id": "mary/short"}, "id 'mary/short'", "6 to 50 characters"),
        ({"id": "mary/" + "a" * 51}, "id", "6 to 50 characters"),
        ({"id": "mary/INSERT_SLUG_HERE"}, "id", "replace the placeholder"),
        ({"id": 7}, "id 7", "valid string"),
        ({"title": "INSERT_TITLE_HERE"}, "title 'INSERT_TITLE_HERE'", "replace the placeholder"),
        ({"title": "Short"}, "title 'Short'", "6 to 50 characters"),
        ({"title": "x" * 51}, "title", "6 to 50 characters"),
        ({"licenses": []}, "licenses []", "name exactly one"),
        ({"licenses": [{"name": "other"}] * 2}, "licenses", "name exactly one"),
        ({"licenses": [{"name": "Apache-2.0"}]}, "licenses.0.name 'Apache-2.0'", "apache-2.0"),
        ({"licenses": [{"title": "other"}]}, "no licenses.0.name", "required"),
        ({"subtitle": "Too short"}, "subtitle 'Too short'", "20 to 80 characters"),
        ({"subtitle": "x" * 81}, "subtitle", "20 to 80 characters"),
        ({"keywords": "x-ray"}, "keywords 'x-ray'", "list"),
        ({"id_no": 12}, "id_no 12", "not permitted"),
        ({"resources": [{"path": "a"}, {"path": "a"}]}, "resources", "each path once"),
    ],
)
def test_a_broken_rule_is_one_sentence(
    changes: dict[str, Any], received: str, rule: str, tmp_path: Path
) -> None:
    (tmp_path / DatasetMetadata.FILE).write_text(json.dumps(METADATA | changes))
    with pytest.raises(SettingError) as caught:
        DatasetMetadata.read(tmp_path)
    message = str(caught.value)
    assert f"Received: {received}" in message
    assert str(tmp_path / DatasetMetadata.FILE) in message
    assert rule in message.partition("Correct it: ")[2]
    assert "\n" not in message


@pytest.mark.parametrize("key", sorted(METADATA))
def test_what_has_to_be_there_is_named(key: str) -> None:
    values = {name: value for name, value in METADATA.items() if name != key}
    with pytest.raises(SettingError, match=f"Received: no {key}"):
        DatasetMetadata.parse(values)


@given(
    slug=st.from_regex(r"[a-z0-9]{1,20}(-[a-z0-9]{1,20})?", fullmatch=True),
    title=st.text(max_size=60),
    subtitle=st.text(max_size=90),
    name=st.sampled_from(LICENSES),
)
def test_what_is_accepted_keeps_the_lengths_and_is_read_back(
    slug: str, title: str, subtitle: str, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    values = {"id": f"mary/{slug}", "title": title, "licenses": [{"name": name}]}
    is_right = 6 <= len(slug) <= 50 and 6 <= len(title) <= 50
    is_right = is_right and len(subtitle) in (0, *range(20, 81))
    is_right = is_right and "INSERT_" not in title + subtitle
    try:
        metadata = DatasetMetadata.parse(values | {"subtitle": subtitle})
    except SettingError:
        assert not is_right
        return
    assert is_right
    folder = tmp_path_factory.mktemp("dataset")
    metadata.write(folder)
    assert DatasetMetadata.read(folder) == metadata


def test_what_is_empty_is_not_written(tmp_path: Path) -> None:
    path = DatasetMetadata.parse(METADATA).write(tmp_path)
    assert json.loads(path.read_text()) == METADATA


@pytest.mark.parametrize("text", ["{", "[]", "\udcff"])
def test_what_is_not_json_is_one_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / DatasetMetadata.FILE).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(SettingError, match=r"are not JSON\. Received: "):
        DatasetMetadata.read(tmp_path)


def test_without_the_file_a_sentence_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"Looked for: .*dataset-metadata\.json"):
        DatasetMetadata.read(tmp_path)


def test_a_file_that_is_spoken_of_has_to_be_there(tmp_path: Path) -> None:
    resource = {"path": "a.csv", "schema": {"fields": [{"name": "id"}]}}
    (tmp_path / DatasetMetadata.FILE).write_text(json.dumps(METADATA | {"resources": [resource]}))
    with pytest.raises(MissingError, match=r"Looked for: .*a\.csv"):
        DatasetMetadata.read(tmp_path)
    (tmp_path / "a.csv").touch()
    assert (
        DatasetMetadata.read(tmp_path).model_dump()["resources"][0]["schema"] == resource["schema"]
    )
