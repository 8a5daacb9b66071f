"""What every verb shares: options, the last line, the exit status."""

import errno
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kagglecxr.core.cli import CommonOptions, make_app, run_app, run_verb
from kagglecxr.core.errors import CxrError, MissingError, SettingError
from kagglecxr.core.workspace import Workspace
from kagglecxr.version import __version__

needs_full_disk = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device")


def run(action: Callable[[], None], *words: str) -> int:
    """The exit status of a verb that does `action`."""

    def juggle(balls: int = 3, *, common: CommonOptions = CommonOptions()) -> None:  # noqa: B008
        """Keeps balls in the air.

        Example: python -m kagglecxr.juggle 5

        Args:
            balls: How many of them.
            common: Options of every verb.
        """
        action()
        common.finish(f"Juggled {balls} balls.", "a rest")

    app = make_app("python -m kagglecxr.juggle")
    app.default(juggle)
    return run_app(app, list(words))


def failing(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def nothing() -> None:
    """Does nothing."""


def test_a_verb_that_is_done_says_one_line_and_leaves_with_0(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(nothing, "5") == 0
    assert capsys.readouterr() == ("Juggled 5 balls. Next: a rest\n", "")


def test_a_quiet_verb_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(nothing, "--quiet") == 0
    assert capsys.readouterr() == ("", "")


def test_help_shows_an_example_and_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(failing(AssertionError("help runs nothing")), "--help") == 0
    out, err = capsys.readouterr()
    for part in ("python -m kagglecxr.juggle 5", "How many of them", "--seed", "--quiet", "--work"):
        assert part in out
    assert "--no-quiet" not in out
    assert err == ""


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(nothing, "--version") == 0
    assert capsys.readouterr().out.strip() == __version__


@pytest.mark.parametrize("error", [SettingError("Mend this."), MissingError("Bring that.")])
def test_a_users_mistake_is_its_sentence_and_2(
    error: CxrError, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(failing(error)) == 2
    assert capsys.readouterr() == ("", f"{error}\n")


def test_a_sentence_that_quotes_several_lines_is_still_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(failing(SettingError("Not TOML. Received: a\n  b\n. Mend it."))) == 2
    assert capsys.readouterr().err == "Not TOML. Received: a b . Mend it.\n"


@pytest.mark.parametrize(
    ("words", "received"),
    [
        (["--bals", "4"], "--bals"),
        (["many"], "many"),
        (["--seed", "lucky"], "lucky"),
        (["1", "2"], "2"),
        (["--seed"], "--seed"),
    ],
)
def test_a_wrong_option_is_one_line_that_names_it_and_2(
    words: list[str], received: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(failing(AssertionError("a wrong option runs nothing")), *words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert received in err
    assert err.endswith("See: python -m kagglecxr.juggle --help\n")


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("a bug"),
        KeyError("a bug"),
        AssertionError("a bug"),
        ValueError("a bug"),
        FileNotFoundError(errno.ENOENT, "a bug"),
        MemoryError("a bug"),
    ],
)
def test_a_fault_of_ours_shows_where_it_is_and_1(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(failing(error)) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Traceback")
    assert "a bug" in err
    assert "bug in kagglecxr" in err.splitlines()[-1]


def test_control_c_is_130_and_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    # What is started in the background of a shell ignores the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert run(lambda: signal.raise_signal(signal.SIGINT)) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "Stopped. Run the same command again to continue.\n"


def check_disk_sentence(err: str) -> None:
    assert err.startswith("The disk is full. Received: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err


def write_to_full_disk() -> None:
    Path("/dev/full").write_text("x")


@needs_full_disk
def test_a_full_disk_is_a_sentence_and_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(write_to_full_disk) == 2
    check_disk_sentence(capsys.readouterr().err)


@needs_full_disk
def test_a_full_disk_under_numpys_own_writer_is_known_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(lambda: np.zeros(100_000).tofile("/dev/full")) == 2
    check_disk_sentence(capsys.readouterr().err)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        OSError("[Errno 28] Can't synchronously write data (file write failed: No space left on)"),
        OSError("4096 requested and 1024 written"),
    ],
)
def test_every_way_a_disk_says_it_is_full_is_understood(
    error: OSError, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(failing(error)) == 2
    err = capsys.readouterr().err
    check_disk_sentence(err)
    assert str(error) in err


@pytest.mark.parametrize(
    ("number", "sentence"),
    [(errno.EROFS, "The disk is read-only."), (errno.EACCES, "may not be read or written.")],
)
def test_a_place_that_cannot_be_written_is_a_sentence_and_2(
    number: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(failing(OSError(number, "refused", "work/demo/index.csv"))) == 2
    err = capsys.readouterr().err
    assert sentence in err
    assert "work/demo/index.csv" in err
    assert "--work" in err
    assert err.count("\n") == 1


def test_common_options_come_after_any_word(tmp_path: Path) -> None:
    seen: list[CommonOptions] = []

    def juggle(balls: int, *, common: CommonOptions = CommonOptions()) -> None:  # noqa: B008
        seen.append(common)

    app = make_app("juggle")
    app.default(juggle)
    assert run_app(app, ["3", "--seed", "7", "--work", str(tmp_path), "--quiet"]) == 0
    assert run_app(app, ["--seed=8", "3"]) == 0
    assert seen == [CommonOptions(tmp_path, 7, True), CommonOptions(None, 8, False)]


def test_the_workspace_is_where_work_says(tmp_path: Path) -> None:
    assert CommonOptions().workspace("demo", "demo") == Workspace(Path("work/demo"), "demo")
    assert CommonOptions(tmp_path).workspace("demo", "d.toml") == Workspace(tmp_path, "demo")


def test_quiet_reaches_the_terminal() -> None:
    common = CommonOptions(quiet=True)
    assert common.terminal.quiet
    assert common.terminal is common.terminal
    assert not CommonOptions().terminal.quiet


@pytest.mark.parametrize(("words", "status"), [(["--balls", "1"], 0), (["--clubs"], 2)])
def test_a_verb_reads_the_command_line_and_exits_with_its_status(
    words: list[str],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def juggle(*, balls: int = 3) -> None:
        sys.stdout.write(f"{balls} balls\n")

    monkeypatch.setattr(sys, "argv", ["juggle", *words])
    with pytest.raises(SystemExit) as caught:
        run_verb(juggle)
    assert caught.value.code == status
    out, err = capsys.readouterr()
    assert (out == "1 balls\n") is (status == 0)
    assert ("python -m kagglecxr.juggle --help" in err) is (status == 2)


def test_core_and_remote_wait_for_no_framework() -> None:
    code = (
        "import sys, pkgutil, importlib, kagglecxr.core, kagglecxr.remote\n"
        "for room in (kagglecxr.core, kagglecxr.remote):\n"
        "    for found in pkgutil.iter_modules(room.__path__, room.__name__ + '.'):\n"
        "        importlib.import_module(found.name)\n"
        "print({'keras', 'tensorflow', 'kaggle', 'torch', 'jax'} & set(sys.modules) or 'none')\n"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert output.stdout == "none\n"
