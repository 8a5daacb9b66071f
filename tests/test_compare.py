"""The verb `compare` with two names, from the words to the lines that a user reads."""

from pathlib import Path

import numpy as np
import pytest

from kagglecxr.compare import compare
from kagglecxr.core.cli import make_app, run_app
from kagglecxr.core.files import read_table, write_table
from tests.conftest import PreparedDemo


def run(*words: str) -> int:
    app = make_app("compare")
    app.default(compare)
    return run_app(app, ["demo", *words])


def submit(demo: PreparedDemo, name: str, wrong: int) -> None:
    """Writes a submission to the current folder's with so many errors."""
    solution, targets = read_table(demo.workspace.solution), demo.prepared.competition.targets()
    decided = np.array([targets.index(label) for label in solution["label"]])
    decided[:wrong] = (decided[:wrong] + 1) % len(targets)
    submission_format = demo.prepared.competition.submission.for_targets(targets)
    table = submission_format.build(list(solution["id"]), np.eye(len(targets))[decided])
    write_table(Path("submissions") / name, table)


def test_two_submissions_are_compared_in_one_sentence(
    demo: PreparedDemo, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    submit(demo, "demo-good.csv", 1)
    submit(demo, "demo-bad.csv", 30)
    root = str(demo.workspace.root)
    assert run("demo-good", "demo-bad", "--work", root) == 0
    output = capsys.readouterr()
    verdict, *_, last = output.out.splitlines()
    assert verdict.startswith("On the rehearsal test set: demo-good is better than demo-bad by ")
    assert verdict.endswith(": more than luck.")
    assert last == (
        f"Compared demo-good and demo-bad. Next: python -m kagglecxr.ensemble demo --work {root}"
    )
    assert output.err == ""


@pytest.mark.parametrize(
    ("words", "told"), [(["one"], "needs two names"), (["one", "two"], "kagglecxr.prepare demo")]
)
def test_what_is_missing_is_named(
    words: list[str], told: str, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words) == 2
    assert told in capsys.readouterr().err
