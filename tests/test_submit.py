"""The verb `submit` as it talks to Kaggle, from the words to the lines that a user reads."""

from pathlib import Path

import pytest

from kagglecxr.core.cli import make_app, run_app
from kagglecxr.core.files import read_table
from kagglecxr.submit import submit
from tests.leaderboard.kaggle_competition import SLUG, KaggleCompetition
from tests.remote.conftest import KEY, clock, fake_kaggle, own_client, strayed  # noqa: F401 fixtures
from tests.remote.fake_kaggle import FakeKaggle
from tests.remote.recording import FakeClock

TOML = f"""
name = "umons"
[source]
kind = "competition"
slug = "{SLUG}"
"""
SAMPLE = "id,label\na,normal\nb,normal\n"


@pytest.fixture
def competition(
    fake_kaggle: FakeKaggle,  # noqa: F811 the fixture
    clock: FakeClock,  # noqa: F811 the fixture
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> KaggleCompetition:
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "umons.toml": TOML,
        "work/umons/raw/data/sample_submission.csv": SAMPLE,
        "submissions/umons-a.csv": "id,label\nb,normal\na,covid-19\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    competition = KaggleCompetition()
    competition.serve(fake_kaggle)
    return competition


def run(*words: str) -> int:
    app = make_app("submit")
    app.default(submit)
    return run_app(app, ["umons.toml", *words])


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run(*words) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert KEY not in output.err
    return output.err.splitlines()[-1]


def test_a_toml_of_a_name_and_a_source_is_enough(
    competition: KaggleCompetition, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--message", "first") == 0
    output = capsys.readouterr()
    assert output.out.splitlines() == [
        "Public score 0.91",
        "Rank 3 of 4 with the team's best, 0.91",
        "Wrote a line to submissions/ledger.csv. Next: python -m kagglecxr.compare umons.toml",
    ]
    assert "Sending submissions/umons-a.csv (3 lines, 29 bytes)" in output.err
    (line,) = read_table(Path("submissions/ledger.csv")).to_dict("records")
    assert (line["competition"], line["status"], line["rank"]) == ("umons", "complete", "3")
    assert "submitted before" in refusal(capsys)
    assert run("--again", "--quiet") == 0
    assert "(+0.00000 since" in capsys.readouterr().out


@pytest.mark.parametrize("has_credentials", [True, False])
def test_a_dry_run_says_what_would_be_sent_and_sends_nothing(
    has_credentials: bool,
    competition: KaggleCompetition,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not has_credentials:
        monkeypatch.delenv("KAGGLE_KEY")
    assert run("--dry-run") == 0
    output = capsys.readouterr().out
    assert f"Would send submissions/umons-a.csv (3 lines, 29 bytes) to {SLUG}" in output
    assert ("5 left today" in output) is has_credentials
    assert (competition.uploaded, Path("submissions/ledger.csv").exists()) == ([], False)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("id,label\na,normal\n", "too few ids"),
        ("id,label\na,normal\nb,\n", "empty or NaN cells"),
        ("id,label\na,normal\nb,normal\nc,normal\n", "ids that are not in the sample submission"),
        ("id,class\na,normal\nb,normal\n", "columns are wrong"),
        ("", "is not a CSV"),
    ],
)
def test_what_is_not_like_the_sample_is_not_sent(
    text: str, sentence: str, competition: KaggleCompetition, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("submissions/umons-a.csv").write_text(text)
    assert sentence in refusal(capsys)
    assert competition.uploaded == []


def test_numbers_are_wanted_where_the_sample_has_numbers(
    competition: KaggleCompetition, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("work/umons/raw/data/sample_submission.csv").write_text("id,label\na,0.5\nb,0.5\n")
    assert "Use numbers" in refusal(capsys)


def test_known_classes_are_checked_too(
    competition: KaggleCompetition, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("umons.toml").write_text(f'{TOML}[classes]\nnames = ["normal", "covid"]\n')
    assert "Use one of normal, covid" in refusal(capsys)


def test_without_a_sample_the_verb_that_fetches_it_is_named(
    competition: KaggleCompetition, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("work/umons/raw/data/sample_submission.csv").unlink()
    assert "python -m kagglecxr.download umons" in refusal(capsys)


def test_a_kernel_s_file_is_submitted(
    competition: KaggleCompetition, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--kernel", "mary/umons-submit", "--version", "3") == 0
    assert "Public score 0.91" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--kernel", "mary/umons"], "by its version"),
        (["--version", "3"], "by its version"),
        (["--kernel", "mary", "--version", "3"], "OWNER/SLUG"),
        (["--kernel", "mary/umons", "--version", "0"], "version 0"),
        (["--kernel", "mary/umons", "--version", "3", "--local"], "runs on Kaggle"),
        (["--wait", "-1"], "not negative"),
        (["nowhere.csv"], "is not there"),
    ],
)
def test_what_cannot_be_sent_is_refused(
    words: list[str],
    sentence: str,
    competition: KaggleCompetition,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert sentence in refusal(capsys, *words)
    assert competition.taken == []


def test_the_time_to_wait_is_the_user_s(
    competition: KaggleCompetition, capsys: pytest.CaptureFixture[str]
) -> None:
    competition.late = 10**6
    assert run("--wait", "0") == 0
    output = capsys.readouterr().out
    assert "Kaggle has not scored it yet: ref 1000." in output
    assert "the same command goes on waiting" in output
