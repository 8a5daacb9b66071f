"""The verb as a user runs it, also when it is killed at random."""

import shlex
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random

import cv2
import numpy as np
import pytest

from kagglecxr.core.cli import CommonOptions, make_app, run_app
from kagglecxr.download import download
from kagglecxr.prepare import prepare
from tests.remote.conftest import clock, fake_kaggle, own_client, strayed  # noqa: F401 fixtures
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
def kaggle(fake_kaggle: FakeKaggle, in_folder: Path) -> FakeKaggle:  # noqa: F811 the fixture
    return fake_kaggle


def umons() -> dict[str, bytes]:
    """A few images in the form of the challenge's data."""
    noise = np.random.default_rng(0)

    def image() -> bytes:
        return cv2.imencode(".png", noise.integers(0, 255, (48, 48), np.uint8))[1].tobytes()

    train = {f"train/{name}/{name}-{n}.png": image() for name in CLASSES for n in range(6)}
    test = {f"test/t{n}.png": image() for n in range(4)}
    lines = ["id,label", *(f"t{n},normal" for n in range(4)), ""]
    return {**train, **test, "sample_submission.csv": "\n".join(lines).encode()}


def run(verb: Callable[..., None], *words: str) -> int:
    app = make_app(verb.__name__)
    app.default(verb)
    return run_app(app, [*words])


def done(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    status = run(download, *words)
    output = capsys.readouterr()
    assert (status, output.err) == (0, "")
    return output.out


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run(download, *words) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1, output.err
    return output.err


def test_what_is_downloaded_can_be_prepared(
    kaggle: FakeKaggle, capsys: pytest.CaptureFixture[str]
) -> None:
    files = umons()
    host_files(kaggle, files, zipped(files, zipfile.ZIP_DEFLATED))
    output = done(capsys, "umons-covid19")
    assert output.startswith("Downloaded 23 files (")
    assert output.endswith("Next: python -m kagglecxr.prepare umons-covid19\n")
    assert files_under(Path("work", "umons-covid19", "raw")) == files
    assert run(prepare, "umons-covid19", "--size", "32", "--folds", "2") == 0
    assert "Prepared 22 images (18 train, 4 test)" in capsys.readouterr().out


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


def test_a_refusal_is_a_sentence_and_no_traceback(
    kaggle: FakeKaggle, capsys: pytest.CaptureFixture[str]
) -> None:
    message = "You must accept this competition's rules before you'll be able to download files."
    kaggle.on(LIST, listing_response({"x.png": 3}))
    kaggle.on(ALL, error_response(403, message))
    told = refusal(capsys, "umons-covid19")
    assert "https://www.kaggle.com/competitions/covid-19-challenge-umons/rules" in told
    assert "k3y-of-mary" not in told


def test_a_merged_data_set_is_fetched_as_well_or_said_how(
    kaggle: FakeKaggle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    host_files(kaggle, {"COVID/images/1.png": b"1", "x/2.png": b"2"})
    done(capsys, "covid19-radiography-topped-up")
    work = tmp_path / "work" / "covid19-radiography-topped-up"
    assert {"raw", "chest-xray-pneumonia", "download.json"} <= {p.name for p in work.iterdir()}
    owners = [seen.fields["ownerSlug"] for seen in kaggle.requests if seen.call.startswith(DATASET)]
    assert sorted(set(owners)) == ["paultimothymooney", "tawsifurrahman"]
    (tmp_path / "mine.toml").write_text(
        'name = "mine"\n[source]\nkind = "dataset"\nslug = "mary/lungs"\n'
        '[classes]\nnames = ["NORMAL"]\n'
        '[[merge]]\ndata = "from-a-hospital"\nclasses = { NORMAL = "NORMAL" }\n'
    )
    by_hand = "It also merges from-a-hospital: copy that to work/mine/from-a-hospital."
    assert by_hand in done(capsys, "mine.toml")


def test_hashes_beside_the_toml_are_compared(
    kaggle: FakeKaggle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    host_files(kaggle, {"x.png": b"1"})
    (tmp_path / "mine.toml").write_text(
        'name = "mine"\n[source]\nkind = "dataset"\nslug = "mary/lungs"\nsha256sums = "sums"\n'
    )
    (tmp_path / "sums").write_text(f"{'0' * 64}  x.png\n")
    told = refusal(capsys, "mine.toml")
    assert "Received: x.png, by the competition's list" in told
    assert not (tmp_path / "work" / "mine" / "raw").exists()


@pytest.mark.parametrize("name", ["demo", "umons-2-classes"])
def test_what_kaggle_does_not_serve_names_what_to_run(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = refusal(capsys, name)
    assert "nothing to download" in told
    assert f"python -m kagglecxr.prepare {name}" in told


def test_what_another_site_serves_comes_by_commands_that_can_be_pasted(
    in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    download("covid-ct", common=CommonOptions(Path("my work")))
    *_, first, second, third, last = capsys.readouterr().out.splitlines()
    assert shlex.split(first)[-1] == "my work/repository"
    for step in (second, third):
        assert shlex.split(step)[:4] == ["unzip", "-q", "-d", "my work/raw"]
    assert last.endswith("Next: python -m kagglecxr.prepare covid-ct --work 'my work'")


def test_some_files_are_named_one_by_one(
    kaggle: FakeKaggle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
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
    done(capsys, "umons-covid19", "--file", "a.csv", "--file", "d/b.csv")
    assert files_under(tmp_path / "work" / "umons-covid19" / "raw") == files
