"""What is said on the way, to whom, and on which stream."""

import contextlib
import io

import pytest

from kagglecxr.core.progress import Reporter, Silent, Terminal

ERASED = "\x1b[2K"


class FakeTerminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> FakeTerminal:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    return FakeTerminal()


def work(reporter: Reporter, items: int = 5) -> None:
    with reporter.bar("Decoding", items) as bar:
        for number in range(items):
            bar.describe(f"Decoding {number}")
            bar.advance()


@pytest.mark.parametrize("reporter", [Silent(), Terminal(quiet=True)])
def test_silence_is_kept_on_both_streams(
    reporter: Reporter, capsys: pytest.CaptureFixture[str]
) -> None:
    work(reporter)
    reporter.note("nobody reads this")
    assert capsys.readouterr() == ("", "")


def test_a_bar_is_not_drawn_where_stderr_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    work(Terminal())
    assert capsys.readouterr() == ("", "")


def test_a_note_goes_to_stderr_alone(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().note("12 images could not be read")
    assert capsys.readouterr() == ("", "12 images could not be read\n")


def test_a_long_note_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    text = "word " * 100 + "end"
    Terminal().note(text)
    assert capsys.readouterr().err == f"{text}\n"


@pytest.mark.parametrize(
    "text", ["[red]not red[/red]", "[/data] is empty", "a[0] and b[/]", "Read scans:x:7.png"]
)
def test_a_note_is_shown_as_it_was_written(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().note(text)
    assert capsys.readouterr().err == f"{text}\n"


def test_a_bar_on_a_terminal_tells_the_step_the_count_and_the_time_left(
    screen: FakeTerminal, capsys: pytest.CaptureFixture[str]
) -> None:
    with contextlib.redirect_stderr(screen):
        work(Terminal())
    shown = screen.getvalue()
    assert "Decoding 4" in shown
    assert "5/5" in shown
    assert "left" in shown
    assert "0:00:00" in shown
    assert capsys.readouterr() == ("", "")


def test_a_finished_bar_vanishes(screen: FakeTerminal) -> None:
    with contextlib.redirect_stderr(screen):
        work(Terminal())
    assert screen.getvalue().endswith(ERASED)


@pytest.mark.parametrize("text", ["Reading [fold 1]", "Reading [/data]"])
def test_a_bars_text_is_shown_as_it_was_written(text: str, screen: FakeTerminal) -> None:
    with contextlib.redirect_stderr(screen), Terminal().bar(text, 1) as bar:
        bar.advance()
    assert text in screen.getvalue()


def test_several_items_can_be_counted_at_once(screen: FakeTerminal) -> None:
    with contextlib.redirect_stderr(screen), Terminal().bar("Decoding", 64) as bar:
        bar.advance(32)
        bar.advance(32)
    assert "64/64" in screen.getvalue()


def test_bytes_are_shown_as_amounts_with_their_speed(screen: FakeTerminal) -> None:
    with contextlib.redirect_stderr(screen):
        bar_of_bytes = Terminal().bar("Fetching", 8_000_000, unit="bytes", done=2_000_000)
        with bar_of_bytes as bar:
            for _ in range(4):
                bar.advance(1_000_000)
    shown = screen.getvalue()
    assert "6.0/8.0 MB" in shown
    assert "B/s" in shown


@pytest.mark.parametrize("reporter", [Silent(), Terminal(quiet=True), Terminal()])
def test_bytes_too_are_counted_in_silence(
    reporter: Reporter, capsys: pytest.CaptureFixture[str]
) -> None:
    with reporter.bar("Fetching", 8, unit="bytes", done=2) as bar:
        bar.advance(6)
    assert capsys.readouterr() == ("", "")


def test_quiet_hides_the_bar_on_a_terminal_too(screen: FakeTerminal) -> None:
    with contextlib.redirect_stderr(screen):
        work(Terminal(quiet=True))
    assert screen.getvalue() == ""


def test_an_error_inside_a_bar_is_not_swallowed(screen: FakeTerminal) -> None:
    def fail() -> None:
        with contextlib.redirect_stderr(screen), Terminal().bar("Decoding", 2):
            raise OSError("no image")

    with pytest.raises(OSError, match="no image"):
        fail()
    assert screen.getvalue().endswith(ERASED)
