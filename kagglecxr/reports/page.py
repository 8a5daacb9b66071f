"""Self-contained HTML pages of figures, text and tables."""

import base64
import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from kagglecxr.core.progress import Reporter
from kagglecxr.reports.run_figures import png_of


@dataclass(frozen=True)
class PageFigure:
    """A figure, the name of its PNG file without suffix, alternative text and caption."""

    name: str
    figure: Figure
    alt: str
    caption: str


@dataclass(frozen=True)
class PageSection:
    """A section: title, a paragraph per sentence, figures and at most one table of text."""

    title: str
    sentences: Sequence[str]
    pictures: Sequence[PageFigure] = ()
    table: pd.DataFrame | None = None


def draw_page(
    title: str,
    introduction: str,
    make_sections: Callable[[], Sequence[PageSection]],
    reporter: Reporter,
    dpi: int = 120,
) -> str:
    """Makes sections, draws their figures, and renders them as one HTML page."""
    # A dollar sign in a name does not start a formula.
    with mpl.rc_context({"text.parse_math": False}):
        sections = make_sections()
        pictures = [picture for section in sections for picture in section.pictures]
        images = {}
        with reporter.bar("Drawing", len(pictures)) as bar:
            for picture in pictures:
                images[picture.name] = png_of(picture.figure, dpi)
                bar.advance()
    return render_page(title, introduction, sections, images)


def render_page(
    title: str, introduction: str, sections: Sequence[PageSection], images: Mapping[str, bytes]
) -> str:
    """Renders a page as HTML with embedded figures, given the PNG data of each by name."""
    contents = "".join(
        f'<li><a href="#part-{number}">{html.escape(section.title)}</a></li>'
        for number, section in enumerate(sections, start=1)
    )
    body = "".join(_section(n, section, images) for n, section in enumerate(sections, start=1))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style></head><body>\n"
        f"<h1>{html.escape(title)}</h1>\n<p>{html.escape(introduction)}</p>\n"
        f"<nav><ol>{contents}</ol></nav>\n{body}</body></html>\n"
    )


def _section(number: int, section: PageSection, images: Mapping[str, bytes]) -> str:
    sentences = "".join(f"<p>{html.escape(sentence)}</p>\n" for sentence in section.sentences)
    pictures = "".join(_picture(picture, images[picture.name]) for picture in section.pictures)
    table = "" if section.table is None or section.table.empty else _table(section.table)
    return (
        f'<section id="part-{number}"><h2>{html.escape(section.title)}</h2>\n'
        f"{sentences}{pictures}{table}</section>\n"
    )


def _picture(picture: PageFigure, image: bytes) -> str:
    data = base64.b64encode(image).decode("ascii")
    return (
        f'<figure><div class="wide"><img alt="{html.escape(picture.alt)}" '
        f'src="data:image/png;base64,{data}"></div>\n'
        f"<figcaption>{html.escape(picture.caption)}</figcaption></figure>\n"
    )


def _table(table: pd.DataFrame) -> str:
    head = "".join(f'<th scope="col">{html.escape(str(name))}</th>' for name in table.columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>\n"
        for row in table.to_numpy().tolist()
    )
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{rows}</tbody></table></div>\n"
    )


# On a phone a wide figure or table scrolls inside its frame; scaled down it would be unreadable.
_STYLE = """
body { font: 16px/1.55 system-ui, sans-serif; color: #222; background: #fff;
  max-width: 60rem; margin: 0 auto; padding: 1rem; overflow-wrap: break-word; }
h1, h2 { line-height: 1.2; }
h2 { margin-top: 2.5rem; border-bottom: 2px solid #1f6f8b; padding-bottom: .3rem; }
a { color: #1f6f8b; }
figure { margin: 1.5rem 0; }
figcaption { color: #555; font-size: .9rem; }
.wide { overflow-x: auto; }
img { display: block; width: 100%; min-width: 40rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid #ddd; text-align: left; }
thead th { border-bottom: 2px solid #444; }
td:first-child, th:first-child { position: sticky; left: 0; background: #fff; }
"""
