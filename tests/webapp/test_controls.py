"""Names are shown as they are, whatever Markdown would make of them."""

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from kagglecxr.webapp.controls import escape_markdown

PRINTABLE = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1)


@given(PRINTABLE)
def test_markdown_shows_the_text_itself(text: str) -> None:
    (_, inline, _) = MarkdownIt().parse(escape_markdown(text))
    shown = "".join(child.content for child in inline.children or [])
    assert shown == text
    assert {child.type for child in inline.children or []} <= {"text", "text_special"}


def test_lines_become_one() -> None:
    assert escape_markdown("a\n\n b") == "a b"
