"""An audit of findings leaves a page, a table and a record of each finding, and names the cue's."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kagglecxr.core.errors import MissingError
from kagglecxr.core.progress import Silent
from kagglecxr.inference.members import Member
from kagglecxr.reports.audit_findings import NOT_AUDITED
from kagglecxr.reports.audit_report import record_of, report_audit
from kagglecxr.reports.run_page import write_run_page
from kagglecxr.shortcuts.audit_options import AuditOptions
from kagglecxr.shortcuts.audit_record import read_audit
from kagglecxr.shortcuts.audit_run import Audit, audit_run, member_to_audit
from kagglecxr.shortcuts.audited_images import audited_images
from kagglecxr.shortcuts.regions import BACKGROUND
from kagglecxr.shortcuts.verdict import CLEAN, SHORTCUT
from kagglecxr.training.recipe import make_recipe
from kagglecxr.training.run import RunOptions, train_run
from tests.conftest import PreparedDemo
from tests.notes import Notes
from tests.shortcuts.planted_findings import FINDINGS, PLANTED, prepare_planted

pytestmark = pytest.mark.slow

TINY = ("model=cnn_small", "model_options.width=4", "batch_size=32")
QUICK = AuditOptions(images=60, explained=2)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> PreparedDemo:
    return prepare_planted(tmp_path_factory.mktemp("planted"), 80)


def trained(own: PreparedDemo, *settings: str) -> Member:
    recipe = make_recipe({}, (*TINY, *settings))
    run = train_run(own.prepared, own.workspace, recipe, Silent(), RunOptions(0))
    return member_to_audit([run], own.prepared)


@pytest.fixture(scope="module")
def member(own: PreparedDemo) -> Member:
    return trained(own, "epochs=1")


@pytest.fixture(scope="module")
def notes() -> Notes:
    return Notes()


@pytest.fixture(scope="module")
def found(own: PreparedDemo, member: Member, notes: Notes) -> Audit:
    return audit_run(own.prepared, own.workspace, member, QUICK, 0, notes)


@pytest.fixture(scope="module")
def page(found: Audit, own: PreparedDemo) -> Path:
    return report_audit(found, own.workspace.audits / found.member.record.name, Silent())


def test_findings_with_too_few_images_are_left_out_and_counted(found: Audit, notes: Notes) -> None:
    assert [one is not None for one in found.verdict.of_findings] == [True, True, False]
    assert any("not of Nodule: it needs 20 patients with it and 20 w" in one for one in notes.told)
    assert "2 of 3 findings" in found.sentence


def test_the_page_has_a_line_for_each_finding(found: Audit, page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert found.verdict.kind in text
    assert text.count("data:image/png") == text.count("alt=") == 5
    for title in ("Findings", "Parts of the image", "Where the evidence is"):
        assert f"<h2>{title}</h2>" in text
    words = re.sub('(?s)<style>.*?</style>|"data:[^"]*"', "", text)
    assert not re.search(r"\bnan\b|balanced accurac|\bclass(es)?\b(?!=)", words)
    assert NOT_AUDITED in words


def test_the_numbers_are_those_of_the_tables(found: Audit, page: Path, own: PreparedDemo) -> None:
    table = pd.read_csv(page.parent / "findings.csv").set_index("finding")
    assert table.index.tolist() == FINDINGS
    truth = own.prepared.findings()
    assert table["images"].le(np.nansum(truth, axis=0)).all()
    regions = pd.read_csv(page.parent / "regions.csv")
    is_background = (regions[["trained", "shown"]] == BACKGROUND).all(axis=1)
    background = regions[is_background]
    assert background[FINDINGS].iloc[0].tolist() == pytest.approx(
        table["background"].tolist(), nan_ok=True
    )
    assert background["mean_auc"].iloc[0] == pytest.approx(table["background"].mean(), abs=1e-4)
    assert not (page.parent / "swaps.csv").exists()
    for name, one in zip(FINDINGS, found.verdict.of_findings, strict=True):
        if one is not None:
            assert one.gap is not None
            assert table.loc[name, "fall"] == pytest.approx(one.gap.accuracy.score, abs=1e-4)
            assert table.loc[name, "verdict"] == one.kind


def test_the_record_and_the_runs_page_say_the_verdict(
    found: Audit, page: Path, own: PreparedDemo
) -> None:
    record = read_audit(page.parent)
    assert record == record_of(found)
    assert record is not None
    assert list(record.findings) == FINDINGS[:2]
    assert record.chance == 0.5
    written = write_run_page(own.competition, own.workspace, found.member.run, 0, Silent())
    assert found.sentence.split(":")[0] in written.read_text(encoding="utf-8")


def test_maps_are_of_findings_that_an_image_has(found: Audit) -> None:
    measured, truth = found.relevance, found.audited.classes
    assert measured is not None
    assert (truth[measured.rows, measured.targets] == 1).all()
    assert np.bincount(measured.targets).tolist() == [1, 1]


def test_as_many_images_are_drawn_of_one_finding_as_of_another(
    own: PreparedDemo, member: Member
) -> None:
    random = np.random.default_rng(0)
    found = audited_images(own.prepared, own.workspace, member, 20, random, Silent())
    every = own.prepared.findings()
    # All that have the rarest, and some without any.
    assert found.classes[:, 2].sum() == every[:, 2].sum()
    assert (found.classes.sum(axis=1) == 0).sum() >= 4
    assert len(found.ids) == 20
    train = own.prepared.index.rows("train")
    row_of = {name: row for row, name in enumerate(own.prepared.index.column("id", train))}
    rows = [row_of[name] for name in found.ids]
    np.testing.assert_array_equal(found.classes, every[rows])


def test_too_few_images_with_any_finding_are_told(own: PreparedDemo, member: Member) -> None:
    options = dataclasses.replace(QUICK, images=20)
    with pytest.raises(MissingError, match=r"a finding that 20 patients have .* Received: 20 im"):
        audit_run(own.prepared, own.workspace, member, options, 0, Silent())


@pytest.mark.slow
def test_the_finding_with_the_letter_is_named_and_the_other_is_not(tmp_path: Path) -> None:
    planted = prepare_planted(tmp_path, 300)
    still = [f"augmentation.{name}=0" for name in ("rotation", "shift", "zoom")]
    learned = ("epochs=12", "learning_rate=0.003", "model_options.width=8", *still)
    member = trained(planted, *learned)
    options = AuditOptions(images=300, explained=2)
    found = audit_run(planted.prepared, planted.workspace, member, options, 0, Silent())
    device, opacity, _ = found.verdict.of_findings
    assert device is not None
    assert opacity is not None
    assert device.whole.low > 0.5
    assert (device.kind, opacity.kind) == (CLEAN, SHORTCUT)
    assert f"reads what is outside of the lungs for {PLANTED}:" in found.sentence
