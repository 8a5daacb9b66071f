"""Text of users and of files where the page expects Markdown."""

import re

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+.!|~$:-])")


def escape_markdown(text: str) -> str:
    r"""Returns text that is shown as it is where Markdown is expected, on one line.

    >>> escape_markdown("cnn_small [1]")
    'cnn\\_small \\[1\\]'
    """
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
