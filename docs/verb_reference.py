"""Fills the page of verbs with the help of each while the site is built."""

import os
import subprocess
import sys
from typing import Any

from kagglecxr.__main__ import VERBS

PAGE = "reference/verbs.md"
STEPS = {"kernel": ("build", "push", "status", "output")}


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Appends a section a verb to the page."""
    if page.file.src_uri != PAGE:
        return markdown
    sections = [
        f"{'###' if step else '##'} {' '.join([verb, *step])}\n\n```text\n{_help(verb, *step)}\n```"
        for verb in VERBS
        for step in [(), *((name,) for name in STEPS.get(verb, ()))]
    ]
    return "\n\n".join([markdown, *sections])


def _help(verb: str, *step: str) -> str:
    command = [sys.executable, "-m", f"kagglecxr.{verb}", *step, "--help"]
    environment = os.environ | {"COLUMNS": "76", "NO_COLOR": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return done.stdout.strip()
