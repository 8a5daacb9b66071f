"""The page as visitors use it, in a real Chromium without a window."""

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from kagglecxr.webapp.uploads import MAX_MEGABYTES
from tests.webapp.conftest import RIGHT, WRONG, WebDemo

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="needs Chromium, which `.ci/run` installs: apt-get install chromium"
)

SECONDS = 60_000
PHONE = 390


@pytest.fixture(scope="module")
def address(web_demo: WebDemo) -> Iterator[str]:
    """The page of a server of its own, which Ctrl+C closes in the end."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port = tried.getsockname()[1]
    words = ["demo", "--work", web_demo.own.workspace.root, "--no-browser", "--port", port]
    server = subprocess.Popen(
        [sys.executable, "-m", "kagglecxr.app", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    url = f"http://127.0.0.1:{port}"
    end = time.monotonic() + 90
    while True:
        try:
            requests.get(f"{url}/_stcore/health", timeout=5).raise_for_status()
            break
        except requests.RequestException:
            assert server.poll() is None, server.communicate()
            assert time.monotonic() < end
            time.sleep(0.2)
    yield url
    server.send_signal(signal.SIGINT)
    out, errors = server.communicate(timeout=30)
    assert server.returncode == 0, errors
    assert "The page is closed. Next: python -m kagglecxr.app demo" in out
    assert "Traceback" not in errors


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        # A sandbox needs rights that containers do not give.
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def visitor(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    context.set_default_timeout(SECONDS)
    yield context
    context.close()


def opened(context: BrowserContext, address: str) -> Page:
    page = context.new_page()
    page.goto(address)
    expect(page.get_by_role("heading", name="X-rays")).to_be_visible(timeout=SECONDS)
    expect(page.locator("input[type=file]")).to_be_attached(timeout=SECONDS)
    return page


def upload(page: Page, *paths: Path) -> None:
    page.set_input_files("input[type=file]", [str(path) for path in paths])


def expect_results(page: Page, number: int) -> None:
    expect(page.get_by_text("Predicted: ")).to_have_count(number, timeout=SECONDS)
    # A spinner is there until the last picture is drawn.
    expect(page.get_by_alt_text("The map's colours.")).to_have_count(number, timeout=SECONDS)


def is_drawn(page: Page, alt: str) -> bool:
    picture = page.get_by_alt_text(alt)
    picture.scroll_into_view_if_needed()
    expect(picture).to_be_visible()
    page.wait_for_function("img => img.complete", arg=picture.element_handle())
    width: int = picture.evaluate("img => img.naturalWidth")
    return width > 100


def test_an_upload_gets_its_result(
    visitor: BrowserContext, address: str, web_demo: WebDemo
) -> None:
    page, elsewhere = opened(visitor, address), list[str]()
    page.on(
        "request",
        lambda sent: (
            elsewhere.append(sent.url)
            if not sent.url.startswith((address, address.replace("http", "ws"), "data:", "blob:"))
            else None
        ),
    )
    expect(page.get_by_text("Not a medical device").first).to_be_visible()
    (xray, _) = web_demo.xrays
    upload(page, xray)
    expect_results(page, 1)
    assert is_drawn(page, f"The X-ray {xray.name}, lungs outlined in green.")
    overlay = page.get_by_alt_text(f"{xray.name} under its map by gradcam")
    expect(overlay).to_be_visible()
    assert overlay.evaluate("img => img.naturalWidth") > 100
    assert not elsewhere


def test_text_called_png_is_refused(
    visitor: BrowserContext, address: str, web_demo: WebDemo, tmp_path: Path
) -> None:
    notes = tmp_path / "notes.png"
    notes.write_text("these are words")
    page = opened(visitor, address)
    upload(page, notes, web_demo.xrays[0])
    expect(page.get_by_text("Received: notes.png, whose content is something else")).to_be_visible()
    expect_results(page, 1)


@pytest.mark.slow
def test_a_file_of_50_megabytes_is_refused(
    visitor: BrowserContext, address: str, web_demo: WebDemo, tmp_path: Path
) -> None:
    large = tmp_path / "large.png"
    large.write_bytes(web_demo.xrays[0].read_bytes() + bytes(50 * 2**20))
    page = opened(visitor, address)
    # Playwright hands over no file of that size; what a visitor drops is the same event.
    page.set_input_files("input[type=file]", str(large))
    expect(page.get_by_text(f"must be {MAX_MEGABYTES}.0MB or smaller")).to_be_visible()
    upload(page, web_demo.xrays[1])
    expect_results(page, 1)


@pytest.mark.slow
def test_ten_files_at_once(
    visitor: BrowserContext, address: str, web_demo: WebDemo, tmp_path: Path
) -> None:
    paths = [tmp_path / f"xray-{number}.jpg" for number in range(10)]
    for path in paths:
        shutil.copy(web_demo.xrays[1], path)
    page = opened(visitor, address)
    upload(page, *paths)
    expect_results(page, 10)
    for path in paths:
        expect(page.get_by_role("heading", name=path.name)).to_have_count(1)


@pytest.mark.slow
def test_two_visitors_at_once_see_their_own(
    browser: Browser, visitor: BrowserContext, address: str, web_demo: WebDemo
) -> None:
    other = browser.new_context()
    pages = [opened(visitor, address), opened(other, address)]
    for page, xray in zip(pages, web_demo.xrays, strict=True):
        upload(page, xray)
    for page, own, theirs in zip(pages, web_demo.xrays, web_demo.xrays[::-1], strict=True):
        expect_results(page, 1)
        expect(page.get_by_role("heading", name=own.name)).to_be_visible()
        expect(page.get_by_text(theirs.name)).to_have_count(0)
    other.close()


@pytest.mark.slow
def test_on_a_phone_nothing_is_wider_than_the_screen(
    browser: Browser, address: str, web_demo: WebDemo
) -> None:
    phone = browser.new_context(viewport={"width": PHONE, "height": 800})
    page = opened(phone, address)
    upload(page, web_demo.xrays[0])
    expect_results(page, 1)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE
    pictures = page.locator("img").evaluate_all(
        "all => all.map(i => i.getBoundingClientRect().right)"
    )
    assert pictures
    assert max(pictures) <= PHONE
    phone.close()


@pytest.mark.parametrize("name", ["", "errors", "run", "audit", "comparison"])
def test_every_page_says_on_a_phone_that_it_is_no_medical_device(
    browser: Browser, address: str, name: str
) -> None:
    phone = browser.new_context(viewport={"width": PHONE, "height": 800})
    page = phone.new_page()
    page.goto(f"{address}/{name}")
    notice = page.get_by_text("Not a medical device").locator("visible=true").first
    expect(notice).to_be_in_viewport(timeout=SECONDS)
    phone.close()


def test_every_page_can_be_reached(visitor: BrowserContext, address: str) -> None:
    page = opened(visitor, address)
    for link, heading in {
        "Errors": "Errors",
        "Run": "Run",
        "Audit": "Audit: does it read the lungs?",
        "Comparison": "Comparison",
    }.items():
        page.get_by_role("link", name=link).click()
        expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible(timeout=SECONDS)
    expect(page.get_by_text("has failed")).to_have_count(0)


def test_the_chosen_model_stays_from_page_to_page(visitor: BrowserContext, address: str) -> None:
    page = opened(visitor, address)
    page.get_by_role("combobox", name="Model").click()
    page.get_by_role("option", name=WRONG).click()
    page.get_by_role("link", name="Errors").click()
    expect(page.get_by_role("heading", name="Errors", exact=True)).to_be_visible(timeout=SECONDS)
    expect(page.get_by_role("combobox", name="Model")).to_have_value(WRONG, timeout=SECONDS)
    expect(page.get_by_text(RIGHT)).to_have_count(0)


def test_a_page_of_another_name_is_refused(address: str) -> None:
    """Without that, a web page could read this one by a name that it makes mean 127.0.0.1."""
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version": "13",
    }
    stream = f"{address}/_stcore/stream"
    own = {**upgrade, "Host": "localhost", "Origin": address}
    other = {**upgrade, "Host": "elsewhere.example", "Origin": "http://elsewhere.example"}
    assert requests.get(stream, headers=other, timeout=10).status_code == 403
    with requests.get(stream, headers=own, timeout=10, stream=True) as answered:
        assert answered.status_code == 101
