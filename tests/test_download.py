"""The verb as a user runs it: a process of its own, killed at random, and what follows it."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

import cv2
import numpy as np
import pytest

from kagglecxr.core.cli import make_app, run_app
from kagglecxr.download import download
from tests.remote.download.hosted_data import (
    ALL,
    ARCHIVE,
    DATASET,
    LIST,
    KilledDownloads,
    client_environment,
    files_under,
    host_files,
    listing_response,
    random_files,
    signed_redirect,
    zipped,
)
from tests.remote.fake_kaggle import FakeKaggle, error_response, stored_file

CLASSES = ("covid-19", "normal", "viral-pneumonia")
KILLS = 2


@pytest.fixture
def kaggle() -> Iterator[FakeKaggle]:
    with FakeKaggle().running() as server:
        yield server


def umons() -> dict[str, bytes]:
    """A few images in the form of the challenge's data."""
    noise = np.random.default_rng(0)

    def image() -> bytes:
        return cv2.imencode(".png", noise.integers(0, 255, (48, 48), np.uint8))[1].tobytes()

    train = {f"train/{name}/{name}-{n}.png": image() for name in CLASSES for n in range(6)}
    test = {f"test/t{n}.png": image() for n in range(4)}
    lines = ["id,label", *(f"t{n},normal" for n in range(4)), ""]
    return {**train, **test, "sample_submission.csv": "\n".join(lines).encode()}


def run(kaggle: FakeKaggle, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = client_environment(cwd, kaggle)
    return subprocess.run(
        [sys.executable, "-m", *words],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **environment},
        check=False,
        timeout=300,
    )


def refused_with(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_what_is_downloaded_can_be_prepared(kaggle: FakeKaggle, tmp_path: Path) -> None:
    files = umons()
    host_files(kaggle, files, zipped(files, zipfile.ZIP_DEFLATED))
    done = run(kaggle, tmp_path, "kagglecxr.download", "umons-covid19")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Downloaded 23 files (")
    assert done.stdout.endswith("Next: python -m kagglecxr.prepare umons-covid19\n")
    assert done.stderr == ""
    assert files_under(tmp_path / "work" / "umons-covid19" / "raw") == files
    words = ["kagglecxr.prepare", "umons-covid19", "--size", "32", "--folds", "2"]
    prepared = run(kaggle, tmp_path, *words)
    assert "Prepared 22 images (18 train, 4 test)" in prepared.stdout, prepared.stderr


def test_killed_again_and_again_it_ends_whole_and_moves_little_more(
    kaggle: FakeKaggle, tmp_path: Path
) -> None:
    random = Random(0)
    files = random_files(24, 2**20)
    archive = zipped(files)
    (tmp_path / "killed.toml").write_text(
        'name = "killed"\n[source]\nkind = "competition"\nslug = "covid-19-challenge-umons"\n'
    )
    killing = KilledDownloads(
        ["killed.toml", "--quiet"], tmp_path, client_environment(tmp_path, kaggle)
    )
    host_files(kaggle, files, archive)
    kaggle.on(ARCHIVE, killing.store(archive))
    raw = tmp_path / "work" / "killed" / "raw"
    for _ in range(KILLS):
        assert killing.go(random.uniform(0.5, 1.5) * len(archive) / (KILLS + 1)) < 0
        assert not raw.exists()
    assert killing.go() == 0
    assert files_under(raw) == files
    assert killing.sent <= 1.5 * len(archive)


def test_a_refusal_is_a_sentence_and_no_traceback(kaggle: FakeKaggle, tmp_path: Path) -> None:
    message = "You must accept this competition's rules before you'll be able to download files."
    kaggle.on(LIST, listing_response({"x.png": 3}))
    kaggle.on(ALL, error_response(403, message))
    told = refused_with(run(kaggle, tmp_path, "kagglecxr.download", "umons-covid19"))
    assert "https://www.kaggle.com/competitions/covid-19-challenge-umons/rules" in told
    assert "k3y-of-mary" not in told


def test_a_merged_data_set_is_fetched_as_well_or_said_how(
    kaggle: FakeKaggle, tmp_path: Path
) -> None:
    host_files(kaggle, {"COVID/images/1.png": b"1", "x/2.png": b"2"})
    done = run(kaggle, tmp_path, "kagglecxr.download", "covid19-radiography-topped-up")
    assert done.returncode == 0, done.stderr
    work = tmp_path / "work" / "covid19-radiography-topped-up"
    assert {"raw", "chest-xray-pneumonia", "download.json"} <= {p.name for p in work.iterdir()}
    owners = [seen.fields["ownerSlug"] for seen in kaggle.seen if seen.call.startswith(DATASET)]
    assert sorted(set(owners)) == ["paultimothymooney", "tawsifurrahman"]
    (tmp_path / "mine.toml").write_text(
        'name = "mine"\n[source]\nkind = "dataset"\nslug = "mary/lungs"\n'
        '[classes]\nnames = ["NORMAL"]\n'
        '[[merge]]\ndata = "from-a-hospital"\nclasses = { NORMAL = "NORMAL" }\n'
    )
    done = run(kaggle, tmp_path, "kagglecxr.download", "mine.toml")
    by_hand = "It also merges from-a-hospital: copy that to work/mine/from-a-hospital."
    assert by_hand in done.stdout, done.stderr


def test_hashes_beside_the_toml_are_compared(kaggle: FakeKaggle, tmp_path: Path) -> None:
    host_files(kaggle, {"x.png": b"1"})
    (tmp_path / "mine.toml").write_text(
        'name = "mine"\n[source]\nkind = "dataset"\nslug = "mary/lungs"\nsha256sums = "sums"\n'
    )
    (tmp_path / "sums").write_text(f"{'0' * 64}  x.png\n")
    told = refused_with(run(kaggle, tmp_path, "kagglecxr.download", "mine.toml"))
    assert "Received: x.png, by the competition's list" in told
    assert not (tmp_path / "work" / "mine" / "raw").exists()


@pytest.mark.parametrize("name", ["demo", "umons-2-classes", "covid-ct"])
def test_what_kaggle_does_not_serve_names_what_to_run(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    app = make_app("download")
    app.default(download)
    assert run_app(app, [name]) == 2
    told = capsys.readouterr().err
    assert "nothing to download" in told
    assert f"python -m kagglecxr.prepare {name}" in told


def test_some_files_are_named_one_by_one(kaggle: FakeKaggle, tmp_path: Path) -> None:
    files = {"a.csv": b"1", "d/b.csv": b"2"}
    host_files(kaggle, files)
    for name in ("a.csv", "b.csv"):
        kaggle.on(
            f"http://storage.test/{name}", stored_file(files[name if name[0] == "a" else "d/b.csv"])
        )
    kaggle.on(
        ALL.removesuffix("s"),
        lambda seen: signed_redirect(f"http://storage.test/{Path(seen.fields['fileName']).name}"),
    )
    words = ["umons-covid19", "--file", "a.csv", "--file", "d/b.csv"]
    done = run(kaggle, tmp_path, "kagglecxr.download", *words)
    assert done.returncode == 0, done.stderr
    assert files_under(tmp_path / "work" / "umons-covid19" / "raw") == files
