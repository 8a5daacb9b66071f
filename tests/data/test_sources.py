"""Where merged data and lists of hashes are looked for."""

from pathlib import Path

import pytest

from kagglecxr.data.competition import PRESETS, load_competition
from kagglecxr.data.sources import hashes_file, merged_sources

BY_HAND = """
name = "mine"
[source]
kind = "dataset"
slug = "mary/lungs"
sha256sums = "mine.sha256"
[classes]
names = ["NORMAL"]
[[merge]]
data = "from-a-hospital"
classes = { NORMAL = "NORMAL" }
[[merge]]
data = "covid-ct"
classes = { NORMAL = "NORMAL" }
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(BY_HAND)
    return path


def test_a_preset_of_the_same_name_tells_where_merged_data_come_from(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    (merged,) = merged_sources(load_competition("covid19-radiography-topped-up"), raw)
    assert merged.source is not None
    assert merged.source.slug == "paultimothymooney/chest-xray-pneumonia"
    assert merged.folder == tmp_path / "chest-xray-pneumonia"
    assert not merged.is_brought
    (raw / "chest-xray-pneumonia").mkdir(parents=True)
    (merged,) = merged_sources(load_competition("covid19-radiography-topped-up"), raw)
    assert merged.is_brought


def test_merged_data_that_kaggle_does_not_serve_have_no_source(mine: Path, tmp_path: Path) -> None:
    merged = merged_sources(load_competition(mine), tmp_path / "raw")
    assert [part.source for part in merged] == [None, None]
    assert merged_sources(load_competition("demo"), tmp_path) == []


def test_a_list_of_hashes_lies_beside_the_toml(mine: Path) -> None:
    described = load_competition(mine)
    assert hashes_file(str(mine), described) == mine.parent / "mine.sha256"
    assert hashes_file("demo", described) == PRESETS / "mine.sha256"
    assert hashes_file("demo", load_competition("demo")) is None
