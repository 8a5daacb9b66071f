"""The page: whole in itself, and unharmed by whatever names the data bring."""

import base64
from html.parser import HTMLParser

import pandas as pd
from matplotlib.figure import Figure

from kagglecxr.reports.page import PageFigure, PageSection, render_page

STRANGE = "<script>alert('x')</script> & \"b\""
PNG = b"\x89PNG not really"


class Page(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and self.open[-1] != "style":
            self.texts.append(data)

    def values(self, tag: str, name: str) -> list[str]:
        return [value for t, n, value in self.attributes if (t, n) == (tag, name)]


def render(text: str) -> Page:
    table = pd.DataFrame({text: [text, 1]})
    picture = PageFigure("one", Figure(), text, text)
    sections = [
        PageSection(text, [text], [picture], table),
        PageSection("second", []),
        PageSection("third", ["nothing"], table=table.iloc[:0]),
    ]
    page = Page(render_page(text, text, sections, {"one": PNG}))
    assert page.open == []
    return page


def test_headings_sentences_captions_and_cells_are_all_there() -> None:
    page = render("words")
    assert page.tags.count("h1") == 1
    assert page.tags.count("h2") == 3
    assert page.tags.count("table") == 1
    # title, h1, introduction, contents, h2, sentence, caption, column, cell
    assert page.texts.count("words") == 9


def test_the_contents_lead_to_the_sections() -> None:
    page = render("words")
    leads = [link.removeprefix("#") for link in page.values("a", "href")]
    assert leads == page.values("section", "id")
    assert len(leads) == 3


def test_the_picture_is_inside_with_words_for_who_cannot_see_it() -> None:
    page = render("words")
    (source,) = page.values("img", "src")
    kind, data = source.split(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(data) == PNG
    assert page.values("img", "alt") == ["words"]


def test_names_cannot_break_the_page() -> None:
    page = render(STRANGE)
    assert "script" not in page.tags
    assert page.texts.count(STRANGE) == 9
    assert page.values("img", "alt") == [STRANGE]


def test_the_page_loads_nothing_from_elsewhere_and_fits_a_phone() -> None:
    page = render("words")
    assert not {"link", "script", "iframe"} & set(page.tags)
    assert all(value.startswith("#") for value in page.values("a", "href"))
    assert "viewport" in page.values("meta", "name")
    assert page.values("html", "lang") == ["en"]
