"""tf-explain's six sheets are of one run, in a folder beside the maps."""

from pathlib import Path

import pandas as pd
import pytest

from kagglecxr.core.errors import SettingError
from kagglecxr.core.progress import Silent
from kagglecxr.inference.members import Member, members_for_data
from kagglecxr.reports.tf_explain_report import report_tf_explain
from kagglecxr.saliency.explain_options import ExplainOptions
from kagglecxr.saliency.tf_explain_pictures import PICTURES
from tests.conftest import PreparedDemo, copy_demo
from tests.training.run_factories import make_run


@pytest.fixture(scope="module")
def own(demo: PreparedDemo, tmp_path_factory: pytest.TempPathFactory) -> PreparedDemo:
    return copy_demo(demo, tmp_path_factory.mktemp("tf-explain"))


@pytest.fixture(scope="module")
def member(own: PreparedDemo) -> Member:
    [found] = members_for_data([make_run(own, "run", 1)], own.prepared)
    return found


def test_there_is_a_sheet_for_each_method(
    own: PreparedDemo, member: Member, tmp_path: Path
) -> None:
    ids = own.prepared.index.column("id", own.prepared.index.rows("train"))[:2]
    options = ExplainOptions(images=tuple(ids), style="tf-explain")
    found = report_tf_explain(own.prepared, [member], tmp_path, options, Silent())
    assert sorted(path.name for path in found.pictures) == sorted(f"{n}.png" for n in PICTURES)
    assert all(path.is_file() for path in found.pictures)
    table = pd.read_csv(tmp_path / "tf-explain" / "images.csv", dtype=str)
    assert table["id"].tolist() == ids
    assert "arrays" not in found.describe()


@pytest.mark.parametrize("options", [{"methods": ("gradcam",)}, {"layers": ("conv1",)}])
def test_what_it_does_not_know_is_refused(
    own: PreparedDemo, member: Member, tmp_path: Path, options: dict[str, tuple[str, ...]]
) -> None:
    chosen = ExplainOptions(**options)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="leave out --methods and --layers"):
        report_tf_explain(own.prepared, [member], tmp_path, chosen, Silent())
    with pytest.raises(SettingError, match="of one run"):
        report_tf_explain(own.prepared, [member, member], tmp_path, ExplainOptions(), Silent())
