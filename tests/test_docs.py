"""The site is built without a warning: no broken link, no page that its contents do not name."""

import re
import subprocess
import sys
from pathlib import Path

from kagglecxr.__main__ import VERBS
from kagglecxr.data.images.pipeline import Pipeline

ROOT = Path(__file__).parents[1]


def test_the_site_has_no_broken_link_and_every_verb(tmp_path: Path) -> None:
    words = ["build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    verbs = (tmp_path / "site" / "reference" / "verbs" / "index.html").read_text()
    for verb in VERBS:
        assert f'id="{verb}"' in verbs
        assert f"python -m kagglecxr.{verb}" in verbs
    python = (tmp_path / "site" / "reference" / "python" / "index.html").read_text()
    for name in ("BalancedSequence", "load_competition", "create_model", "list_models"):
        assert f"{name}</span>" in python, name


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 150


PIPELINE = re.compile(r'--pipeline\s+"([^"]+)"')


def test_every_pipeline_that_is_written_down_is_one() -> None:
    folders = (ROOT / "docs", ROOT / "kagglecxr" / "training" / "recipes")
    texts = [ROOT / "README.md", *(path for folder in folders for path in folder.rglob("*.*"))]
    found = [
        text
        for path in texts
        if path.suffix in (".md", ".toml")
        for text in PIPELINE.findall(path.read_text(encoding="utf-8"))
        if "..." not in text and "NAME" not in text
    ]
    assert len(found) >= 3
    for text in found:
        assert Pipeline.parse(text, 224).text
