"""A session measures its time, finds attached inputs, and runs the package's verbs."""

import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from kagglecxr.core.errors import DataError, MissingError, UnknownNameError
from kagglecxr.remote.datasets.run_archives import pack_run
from kagglecxr.remote.kernels.session import Session, input_runs, link_weights, restore_studies


def test_time_is_counted_from_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([1000.0, 1600.0, 8200.0])
    monkeypatch.setattr("kagglecxr.core.deadline.monotonic", lambda: next(times))
    session = Session(tmp_path, tmp_path, 1.5)
    assert session.deadline.left() == 5400 - 600
    assert session.deadline.left() == 5400 - 7200


def test_a_name_stays_and_a_text_becomes_a_file(tmp_path: Path) -> None:
    session = Session(tmp_path, tmp_path / "scratch", 1.0)
    assert session.as_file("umons-covid19", "competition") == "umons-covid19"
    for text in ('name = "x"\n[source]\n', "epochs = 3"):
        path = Path(session.as_file(text, "competition"))
        assert path == tmp_path / "scratch" / "competition.toml"
        assert path.read_text() == text


def test_a_verb_has_the_workspace_in_the_scratch_and_its_status_ends_the_script(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    session = Session(tmp_path / "input", tmp_path, 1.0)
    with pytest.raises(SystemExit) as caught:
        session.run_verb("compare", "demo")
    assert caught.value.code == 2
    assert str(tmp_path / "work") in capfd.readouterr().err
    with pytest.raises(subprocess.TimeoutExpired):
        session.run_verb("compare", "demo", seconds=0.001)


def test_a_user_s_mistake_ends_in_one_sentence_and_a_fault_with_its_trace(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended, Session(tmp_path, tmp_path, 1.0):
        raise MissingError("No data. Attach them.")
    # What Python prints of it, with exit status 1.
    assert ended.value.code == "No data. Attach them."
    with pytest.raises(ValueError, match="odd"), Session(tmp_path, tmp_path, 1.0):
        raise ValueError("odd")


def make_run(folder: Path, name: str, folds: tuple[int, ...] = (0, 1), whole: bool = True) -> Path:
    run = folder / name
    for fold in folds:
        place = run / f"fold-{fold}"
        place.mkdir(parents=True)
        for file in ("model.weights.h5", "fold.json"):
            (place / file).write_text(f"{name} {fold}")
    for file in ("recipe.json", "folds.csv", *(["run.json"] if whole else [])):
        (run / file).write_text(name)
    return run


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    """Inputs without a run: data, wheels, and archives of other things."""
    mounts = tmp_path / "input"
    (mounts / "lungs").mkdir(parents=True)
    (mounts / "lungs" / "broken.zip").write_bytes(b"PK")
    with zipfile.ZipFile(mounts / "lungs" / "test.zip", "w") as archive:
        archive.writestr("test/fold-1/a.png", b"")
    return mounts


def test_packed_and_unpacked_runs_are_found_by_name(mounts: Path, tmp_path: Path) -> None:
    place = mounts / "datasets" / "mary" / "runs"
    (place / "b").mkdir(parents=True)
    pack_run(make_run(tmp_path, "b-1"), place)
    shutil.move(make_run(tmp_path, "a-1"), place / "b" / "a-1")
    found = input_runs(mounts, tmp_path / "runs")
    assert found == [place / "b" / "a-1", tmp_path / "runs" / "b-1"]
    assert (found[1] / "fold-1" / "model.weights.h5").read_text() == "b-1 1"
    assert input_runs(mounts, tmp_path / "runs", ["b-1"]) == found[1:]
    with pytest.raises(UnknownNameError, match="b-1"):
        input_runs(mounts, tmp_path / "runs", ["b-2"])


def test_folds_of_a_run_that_is_not_whole_are_no_run(mounts: Path, tmp_path: Path) -> None:
    pack_run(make_run(tmp_path, "a-1", (3,), whole=False), mounts)
    with pytest.raises(MissingError, match=r"a-1\.zip.*Train all folds"):
        input_runs(mounts, tmp_path / "runs")


def test_no_run_at_all_is_reported(mounts: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"broken\.zip, test\.zip"):
        input_runs(mounts, tmp_path / "runs")
    with pytest.raises(MissingError, match="no archive"):
        input_runs(tmp_path / "nowhere", tmp_path / "runs")


def test_a_packed_run_that_holds_more_is_refused(mounts: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(mounts / "a-1.zip", "w") as archive:
        archive.writestr("a-1/fold-0/model.weights.h5", b"")
        archive.writestr("a-1/fold-0/evil.pkl", b"")
    with pytest.raises(DataError, match=r"evil\.pkl"):
        input_runs(mounts, tmp_path / "runs")


def test_imagenet_weights_are_where_keras_looks_for_them(mounts: Path, tmp_path: Path) -> None:
    names = ["vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "mobilenet_1_0_224_tf_no_top.h5"]
    for name in (*names, "model.weights.h5"):
        (mounts / "lungs" / name).write_text(name)
    home = tmp_path / "keras"
    for _ in range(2):
        linked = link_weights(mounts, home)
        assert sorted(path.name for path in linked) == sorted(names)
        assert {path.name for path in (home / "models").iterdir()} == set(names)
    assert (home / "models" / names[0]).read_text() == names[0]
    (mounts / "lungs" / names[0]).rename(mounts / names[0])
    link_weights(mounts, home)
    assert (home / "models" / names[0]).read_text() == names[0]


def test_weights_that_are_there_already_stay(mounts: Path, tmp_path: Path) -> None:
    name = "mobilenet_1_0_224_tf_no_top.h5"
    (mounts / name).write_text("attached")
    kept = tmp_path / "keras" / "models" / name
    kept.parent.mkdir(parents=True)
    kept.write_text("fetched")
    assert link_weights(mounts, tmp_path / "keras") == [kept]
    assert kept.read_text() == "fetched"


def test_the_longest_journal_of_a_search_is_gone_on_with(mounts: Path, tmp_path: Path) -> None:
    studies = tmp_path / "studies"
    assert restore_studies(mounts, studies) == []
    for version, text in (("v1", "one\n"), ("v2", "one\ntwo\n"), ("v0", "")):
        place = mounts / "notebooks" / version / "studies" / "lungs-1"
        place.mkdir(parents=True)
        (place / "journal.log").write_text(text)
    journal = studies / "lungs-1" / "journal.log"
    assert set(restore_studies(mounts, studies)) == {journal}
    assert journal.read_text() == "one\ntwo\n"
    journal.write_text("one\ntwo\nthree\n")
    restore_studies(mounts, studies)
    assert journal.read_text() == "one\ntwo\nthree\n"
