"""An audit of a run leaves a page with its verdict, and tables that say the same."""

import dataclasses
import re
from pathlib import Path

import pandas as pd
import pytest

from kagglecxr.core.errors import MissingError, SettingError
from kagglecxr.core.progress import Silent
from kagglecxr.inference.members import Member, members_for_data
from kagglecxr.reports.audit_report import check_folder, record_of, report_audit
from kagglecxr.shortcuts import audit_run as module
from kagglecxr.shortcuts.audit_options import AuditOptions
from kagglecxr.shortcuts.audit_record import read_audit
from kagglecxr.shortcuts.audit_run import Audit, audit_run
from kagglecxr.shortcuts.regions import VARIANTS
from tests.conftest import PreparedDemo, copy_demo
from tests.training.run_factories import make_run


@pytest.fixture(scope="module")
def own(demo: PreparedDemo, tmp_path_factory: pytest.TempPathFactory) -> PreparedDemo:
    return copy_demo(demo, tmp_path_factory.mktemp("audit"))


@pytest.fixture(scope="module")
def member(own: PreparedDemo) -> Member:
    [found] = members_for_data([make_run(own, "run", 1)], own.prepared)
    return found


@pytest.fixture(scope="module")
def found(own: PreparedDemo, member: Member) -> Audit:
    options = AuditOptions(images=60, explained=4)
    return audit_run(own.prepared, own.workspace, member, options, 0, Silent())


@pytest.fixture(scope="module")
def page(found: Audit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    (folder / "sources.csv").write_text("of an earlier audit", encoding="utf-8")
    return report_audit(found, folder, Silent())


def test_the_page_begins_with_the_verdict_and_holds_its_pictures(found: Audit, page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert found.verdict.kind in text
    assert text.count("data:image/png") == 5
    assert text.count("alt=") == 5
    for title in ("Parts of the image", "Lungs in other backgrounds", "Where the evidence is"):
        assert f"<h2>{title}</h2>" in text
    assert not re.search(r"\bnan\b", re.sub('"data:[^"]*"', "", text))


def test_the_numbers_are_those_of_the_tables(found: Audit, page: Path) -> None:
    record = read_audit(page.parent)
    assert record == record_of(found)
    assert record is not None
    assert (record.verdict, record.images) == (found.verdict.kind, len(found.audited.ids))
    regions = pd.read_csv(page.parent / "regions.csv")
    assert len(regions) == (len(VARIANTS) + 1) * len(VARIANTS)
    own = regions[
        (regions["trained"] == "background only") & (regions["shown"] == "background only")
    ]
    background = record.background.score
    assert own["balanced_accuracy"].iloc[0] == pytest.approx(background, abs=1e-4)
    recalls = own[found.targets].iloc[0]
    assert recalls.mean() == pytest.approx(background, abs=1e-3)
    swaps = pd.read_csv(page.parent / "swaps.csv").set_index("lungs")
    assert swaps.shape == (4, 4)


def test_tables_of_an_earlier_audit_do_not_stay(found: Audit, page: Path) -> None:
    path = page.parent / "sources.csv"
    assert path.is_file() == (found.sources is not None)
    if path.is_file():
        assert len(pd.read_csv(path)) == len(found.sources.table)  # type: ignore[union-attr]


def test_a_damaged_record_counts_as_no_audit(tmp_path: Path) -> None:
    assert read_audit(tmp_path) is None
    for text in ("", "{", '{"verdict": "fine"}', "[]"):
        (tmp_path / "audit.json").write_text(text, encoding="utf-8")
        assert read_audit(tmp_path) is None


def test_a_file_in_the_folders_place_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "audit").write_text("")
    with pytest.raises(SettingError, match=r"audit/run\. Move that file"):
        check_folder(tmp_path / "audit" / "run")
    assert check_folder(tmp_path / "a" / "b").is_dir()


def test_where_no_lungs_are_found_nothing_is_audited(
    own: PreparedDemo, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind = module.audited_images

    def without_lungs(*arguments: object) -> object:
        seen = blind(*arguments)  # type: ignore[arg-type]
        return dataclasses.replace(seen, lungs=seen.lungs * False)

    monkeypatch.setattr(module, "audited_images", without_lungs)
    with pytest.raises(MissingError, match="Received: 0 images with lungs of 60"):
        audit_run(own.prepared, own.workspace, member, AuditOptions(images=60), 0, Silent())
