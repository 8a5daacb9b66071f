"""Submissions as files: the newest one is found, and a bad one is refused."""

import gzip
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kagglecxr.core.errors import CxrError, MissingError, SubmissionError
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import Competition
from kagglecxr.data.schema import Classes, Source
from kagglecxr.leaderboard.submission import describe_form, newest_submission, validate_file

TARGETS = ["covid-19", "normal", "viral-pneumonia"]
TRUTH = [0, 0, 0, 1, 1, 1, 1, 2, 2]
IDS = [f"i{k}" for k in range(len(TRUTH))]
COMPETITION = Competition(name="demo", source=Source(kind="demo"), classes=Classes(names=TARGETS))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sample") / "sample_submission.csv"
    path.write_text("id,label\n" + "".join(f"{i},normal\n" for i in IDS))
    return path


def good_text() -> str:
    return "id,label\n" + "".join(f"{i},{TARGETS[k]}\n" for i, k in zip(IDS, TRUTH, strict=True))


@pytest.mark.parametrize(
    ("content", "received"),
    [
        (good_text().replace("i8,viral-pneumonia\n", ""), "1 such ids, i8"),
        (good_text() + "i9,normal\n", "1 such ids, i9"),
        (good_text() + "i8,normal\n", "1 such ids, i8"),
        (good_text().replace("i3,normal", "i3,NaN"), "column 'label' of ids i3"),
        (good_text().replace("i3,normal", "i3,"), "column 'label' of ids i3"),
        (good_text().replace("i3,normal", "i3"), "i3"),
        (good_text().replace("i3,normal", "i3,healthy"), "'healthy'"),
        (good_text().replace("id,label", "id,class"), "['id', 'class']"),
        (good_text().replace(",", ";"), "['id;label']"),
        (good_text().replace("i3,normal", "i3,normal,1"), "Expected 2 fields in line 5, saw 3"),
        (good_text().replace("i3,", '"i3,'), "bad.csv"),
        ("", "bad.csv"),
        ("\n \n", "bad.csv"),
        ("id,label\n", "9 such ids, i0, i1, i2 and 6 more"),
        (json.dumps({"i0": "normal"}), "i0"),
        ("<!doctype html>\n<title>Sign in</title>\n", "doctype"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\xff\xfe", "bad.csv"),
        (gzip.compress(good_text().encode(), mtime=0), "bad.csv"),
        (good_text().encode("utf-16"), "bad.csv"),
    ],
)
def test_a_bad_file_is_refused_in_one_line_that_names_what_was_received(
    content: str | bytes, received: str, sample: Path, tmp_path: Path
) -> None:
    file = tmp_path / "bad.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(SubmissionError) as caught:
        validate_file(file, sample, COMPETITION)
    assert received in str(caught.value)
    assert "\n" not in str(caught.value)


@settings(deadline=None, max_examples=60)
@given(content=st.binary(max_size=60) | st.text(max_size=40).map(str.encode))
def test_no_bytes_whatever_are_a_fault_of_ours(
    content: bytes, sample: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.getbasetemp() / "bytes.csv"
    file.write_bytes(content)
    with pytest.raises(CxrError):
        validate_file(file, sample, COMPETITION)


def test_a_file_that_is_not_there_is_named(sample: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"demo-none\.csv"):
        validate_file(tmp_path / "demo-none.csv", sample, COMPETITION)


def test_a_folder_is_no_submission(sample: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        validate_file(tmp_path, sample, COMPETITION)


def test_a_good_file_is_given_back_in_the_samples_order(sample: Path, tmp_path: Path) -> None:
    header, *lines = good_text().splitlines()
    file = tmp_path / "demo-a.csv"
    file.write_text("\r\n".join([header, *reversed(lines)]), encoding="utf-8-sig")
    checked = validate_file(file, sample, COMPETITION)
    assert list(checked["id"]) == IDS
    assert list(checked["label"]) == [TARGETS[k] for k in TRUTH]


@pytest.mark.parametrize(
    ("sent", "wanted", "told"),
    [
        ("id,p\na,0.2\nb,0.9\n", "id,p\na,0.5\nb,0.5\n", "is in perfect form"),
        ("id,p\na,0.2\nb,0.9\n", "id,p\na,0\nb,0\n", "is in perfect form"),
        ("id,p\na,2\nb,7\n", "id,p\na,\nb,\n", "is in perfect form"),
        ("id,p\na,2\nb,7\n", "id,p\na,0\nb,0\n", "is in perfect form"),
        ("id,p\nb,0.2\na,0.9\n", "id,p\na,0\nb,0\n", "its lines are in another order"),
        ("id,p\na,2\nb,0\n", "id,p\na,0\nb,1\n", "p goes up to 2, in the sample from 0 to 1"),
        ("id,p\na,0.2\n", "id,p\na,0.5 0 0 9 9\n", "p is '0.2' where the sample has '0.5 0 0 9 9'"),
        ("id,p\na,ill\n", "id,p\na,0\n", "p is 'ill' where the sample has '0'"),
    ],
)
def test_perfect_is_what_agrees_with_the_sample_in_all(
    sent: str, wanted: str, told: str, tmp_path: Path
) -> None:
    file, own = tmp_path / "sent.csv", tmp_path / "sample.csv"
    file.write_text(sent)
    own.write_text(wanted)
    described = describe_form(file, own, "id", is_own=True)
    assert told in described
    assert ("in perfect form" in described) == ("in perfect form" in told)
    assert "in perfect form" not in describe_form(file, own, "id", is_own=False)


def touch(path: Path, age: int) -> Path:
    path.write_text("id,label\n")
    os.utime(path, (age, age))
    return path


def test_the_newest_submission_is_the_one_written_last(tmp_path: Path) -> None:
    touch(tmp_path / "demo-z.csv", 100)
    newest = touch(tmp_path / "demo-a.csv", 200)
    touch(tmp_path / "umons-a.csv", 300)
    touch(tmp_path / "ledger.csv", 400)
    touch(tmp_path / "demo-a.json", 500)
    assert newest_submission(tmp_path, Workspace(tmp_path, "demo")) == newest


def test_a_submission_of_a_competition_whose_name_goes_on_is_not_taken(tmp_path: Path) -> None:
    own = touch(tmp_path / "covid19-radiography-cnn_small-01234567.csv", 100)
    touch(tmp_path / "covid19-radiography-covid-cnn_small-01234567.csv", 200)
    touch(tmp_path / "covid19-radiography-3-classes-mean-01234567.csv", 300)
    assert newest_submission(tmp_path, Workspace(tmp_path, "covid19-radiography")) == own


def test_where_there_is_no_submission_the_verb_is_named(tmp_path: Path) -> None:
    touch(tmp_path / "umons-a.csv", 300)
    with pytest.raises(MissingError, match=r"kagglecxr\.ensemble demo") as caught:
        newest_submission(tmp_path, Workspace(tmp_path, "demo"))
    assert str(tmp_path) in str(caught.value)


def test_no_folder_holds_no_submission(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        newest_submission(tmp_path / "submissions", Workspace(tmp_path, "demo"))
