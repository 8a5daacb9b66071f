"""The page of a run begins with its summary, and its card says what it is not for."""

import re

import pytest

from kagglecxr.core.intervals import Interval
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import WEIGHTS
from kagglecxr.reports.compared_models import read_run_alone
from kagglecxr.reports.run_page import summarise, write_run_page
from kagglecxr.shortcuts.audit_record import AuditRecord
from tests.conftest import PreparedDemo, copy_demo
from tests.training.run_factories import make_run

SENTENCE = "run reads what is outside of the lungs: train with 'gray | resize | mask'."


@pytest.fixture(scope="module")
def own(demo: PreparedDemo, tmp_path_factory: pytest.TempPathFactory) -> PreparedDemo:
    found = copy_demo(demo, tmp_path_factory.mktemp("pages"))
    (found.workspace.root / "cache").symlink_to(demo.workspace.cache)
    make_run(found, "run", 1)
    return found


def summary_of(own: PreparedDemo) -> dict[str, str]:
    run = own.workspace.runs / "run"
    compared = read_run_alone(own.prepared.competition, own.workspace, run, 0)
    return summarise(compared, own.workspace)


def test_what_was_not_audited_says_how(own: PreparedDemo) -> None:
    asked = summary_of(own)["What it reads"]
    assert asked.startswith("not audited yet: python -m kagglecxr.audit ")
    assert " run " in f"{asked} "


def test_page_and_card_have_the_summary(own: PreparedDemo) -> None:
    background = Interval(0.6, 0.55, 0.65)
    record = AuditRecord(
        "reads it", SENTENCE, 60, 0.25, background, background, 0.8, 0.5, background, background,
        None,
    )  # fmt: skip
    record.write(own.workspace.audits / "run")
    page = write_run_page(
        own.prepared.competition, own.workspace, own.workspace.runs / "run", 0, Silent()
    )
    text = page.read_text(encoding="utf-8")
    assert text.index("Not a medical device") < text.index("<h2>Summary</h2>")
    assert text.index("<h2>Summary</h2>") < text.index("data:image/png")
    assert "reads what is outside of the lungs" in text
    for title in ("Errors by class", "Calibration", "Thresholds", "Most confident errors"):
        assert f"<h2>{title}</h2>" in text
    card = (page.parent / "model_card.md").read_text(encoding="utf-8")
    assert card.startswith("# run\n\nNot a medical device")
    assert r"'gray \| resize \| mask'" in card
    summary = summary_of(own)
    assert summary["Background alone tells"] == "0.6000 (0.5500 to 0.6500)"
    for title in ("Training time (s)", "Parameters", "Out-of-fold recall"):
        assert f"| {title} | {summary[title]} |" in card


def pictures_of(own: PreparedDemo) -> list[str]:
    run = own.workspace.runs / "run"
    page = write_run_page(own.prepared.competition, own.workspace, run, 0, Silent())
    return re.findall('<img alt="([^"]*)"', page.read_text(encoding="utf-8"))


def test_errors_are_shown_with_what_they_came_from(own: PreparedDemo) -> None:
    *_, errors, maps = pictures_of(own)
    assert errors.startswith("Images ")
    assert maps == f"Grad-CAM of images {errors.removeprefix('Images ')}"


def test_errors_of_a_run_without_weights_are_shown_alone(own: PreparedDemo) -> None:
    weights = own.workspace.runs / "run" / "fold-0" / WEIGHTS
    kept = weights.rename(weights.with_name("kept"))
    *_, errors = pictures_of(own)
    kept.rename(weights)
    assert errors.startswith("Images ")


def test_the_summary_begins_with_precision_what_is_read_and_cost(own: PreparedDemo) -> None:
    titles = list(summary_of(own))
    reads, cost = titles.index("What it reads"), titles.index("Training time (s)")
    assert all(title.startswith(("Out-of-fold", "95 %")) for title in titles[:reads])
    assert "Out-of-fold balanced accuracy" in titles[:reads]
    assert cost == reads + 1


def test_recalls_are_named_by_class(own: PreparedDemo) -> None:
    recalls = summary_of(own)["Out-of-fold recall"]
    assert [part.rsplit(" ", 1)[0] for part in recalls.split(", ")] == [
        "COVID", "Lung_Opacity", "Normal", "Viral Pneumonia",
    ]  # fmt: skip
