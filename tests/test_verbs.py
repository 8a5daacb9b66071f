"""The verbs as a user types them: help, exit statuses, and the whole game on a small folder."""

import contextlib
import importlib
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kagglecxr.__main__ import VERBS
from kagglecxr.core.cli import make_app, run_app
from kagglecxr.core.files import read_table
from kagglecxr.inference.export.file_formats import load_export

# TensorFlow traces AdamW's graph for seconds, SGD's at once.
SETTINGS = ["epochs=2", "model_options.width=4", "optimizer=sgd"]
TINY = ["--recipe", "cpu_scratch", *(word for value in SETTINGS for word in ("--set", value))]


def verb(
    *words: str, cwd: Path | None = None, limit: float = 300
) -> subprocess.CompletedProcess[str]:
    """Runs `python -m kagglecxr.VERB ...` and waits for its end."""
    name, *rest = words
    return subprocess.run(
        [sys.executable, "-m", f"kagglecxr.{name}", *rest],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "KERAS_HOME": "/nonexistent", "COLUMNS": "200"},
        check=False,
        timeout=limit,
    )


def verb_here(*words: str) -> subprocess.CompletedProcess[str]:
    """The same in this process and the current folder: what takes seconds is to start one."""
    name, *rest = words
    app = make_app(name)
    app.default(getattr(importlib.import_module(f"kagglecxr.{name}"), name))
    with (
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(io.StringIO()) as err,
    ):
        status = run_app(app, rest)
    return subprocess.CompletedProcess(list(words), status, out.getvalue(), err.getvalue())


def refused(*words: str, cwd: Path | None = None) -> str:
    """The one sentence of a verb that the user must mend."""
    done = verb(*words, cwd=cwd)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


STEPS = ["kernel build", "kernel push", "kernel status", "kernel output"]


@pytest.mark.parametrize("name", [*(verb for verb in VERBS if verb != "kernel"), *STEPS])
def test_help_waits_for_no_heavy_library(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", *f"kagglecxr.{name} --help".split()],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    imported = set(re.findall(r"\|\s+([\w.]+)$", done.stderr, flags=re.MULTILINE))
    assert not {"tensorflow", "keras", "kaggle", "pandas", "cv2"} & imported
    assert f"Example: python -m kagglecxr.{name}" in done.stdout
    assert "--quiet" in done.stdout
    assert "--seed" in done.stdout


def test_importing_the_package_imports_no_heavy_library() -> None:
    code = "import sys, kagglecxr, kagglecxr.data, kagglecxr.models; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"tensorflow", "keras", "kaggle"} & set(done.stdout.split())


def test_the_package_lists_its_verbs_in_playing_order() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kagglecxr"], capture_output=True, text=True, check=True
    )
    found = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("│")]
    assert [word for word in found if word in VERBS] == list(VERBS)


def test_the_public_names_are_where_the_contract_says() -> None:
    from kagglecxr import CxrError
    from kagglecxr.data import BalancedSequence, load_competition
    from kagglecxr.models import create_model, list_models

    assert all(map(callable, (BalancedSequence, create_model, list_models, CxrError)))
    assert load_competition("demo").name == "demo"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["prepare", "no-such-thing"], "no-such-thing"),
        (["prepare", "umons-covid19"], "--data"),
        (["prepare", "demo", "--data", "/no/such/folder"], "/no/such/folder"),
        (["prepare", "demo", "--size", "large"], "large"),
        (["prepare"], "--help"),
        (["prepare", "demo", "--colour", "red"], "colour"),
        (["train", "demo"], r"kagglecxr\.prepare demo"),
        (["tune", "demo"], r"kagglecxr\.prepare demo"),
        (["explore", "demo"], r"kagglecxr\.prepare demo"),
        (["segment", "demo"], r"kagglecxr\.prepare demo"),
        (["export", "demo", "--format", "onx"], "onnx"),
        (["submit", "umons-covid19"], r"kagglecxr\.ensemble umons-covid19"),
        (["submit", "demo", "--local"], r"kagglecxr\.prepare demo"),
        (["compare", "demo"], r"kagglecxr\.train demo"),
    ],
)
def test_what_the_user_must_mend_is_one_sentence(
    words: list[str], told: str, in_folder: Path
) -> None:
    done = verb_here(*words)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert re.search(told, done.stderr)


def test_a_sentence_is_all_that_a_process_of_its_own_says(tmp_path: Path) -> None:
    assert "no-such-thing" in refused("prepare", "no-such-thing", cwd=tmp_path)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, demo_images: Path) -> Path:
    """A user's folder with a data set of class folders in it."""
    folder = tmp_path_factory.mktemp("user")
    shutil.copytree(demo_images, folder / "xrays")
    return folder


@pytest.fixture(scope="module")
def played(place: Path) -> list[subprocess.CompletedProcess[str]]:
    """The whole game, verb after verb; in a process of its own what trains, as libraries log."""
    with contextlib.chdir(place):
        return [
            verb_here("prepare", "xrays", "--size", "32", "--folds", "2"),
            verb("train", "xrays", *TINY),
            verb_here("ensemble", "xrays"),
            verb_here("export", "xrays", "--fold", "0", "--views", "identity", "hflip"),
            verb_here("submit", "xrays", "--local", "--message", "first"),
            verb_here("explore", "xrays"),
            verb_here("submit", "xrays", "--local"),
            verb_here("compare", "xrays"),
            verb_here("explain", "xrays", "--methods", "gradcam", "--number", "1"),
            verb_here("audit", "xrays", "--images", "40", "--explained", "1"),
        ]


def test_every_verb_ends_well_and_says_what_comes_next(
    played: list[subprocess.CompletedProcess[str]],
) -> None:
    for done in played:
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        assert re.search(r"Next: \S", done.stdout.splitlines()[-1])


def test_the_files_of_the_contract_are_there(
    played: list[subprocess.CompletedProcess[str]], place: Path
) -> None:
    work = place / "work" / "xrays"
    index = read_table(work / "index.csv")
    expected = "id,path,label,split,group,source,mask,width,height,phash"
    assert ",".join(index.columns) == expected
    assert set(index.loc[index["split"] == "test", "label"]) == {""}
    assert list(read_table(work / "folds.csv").columns) == ["id", "fold"]
    assert {"index.html", "classes.csv", "class-counts.png"} <= {
        path.name for path in (work / "explore").iterdir()
    }
    (run,) = (work / "runs").iterdir()
    there = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert {
        "run.json", "oof.npz", "test.npz", "folds.csv", "learning_curves.png", "confusion.png",
        "error_by_class.png", "errors.csv", "fold-0/model.weights.h5", "fold-0/history.csv",
    } <= there  # fmt: skip
    exported = place / "exports" / f"xrays-{run.name}-fold-0.keras"
    card = exported.with_suffix(".card.md").read_text(encoding="utf-8")
    assert card.startswith(f"# {run.name}\n\nNot a medical device")
    assert load_export(exported).card == card
    assert {f"compare.{suffix}" for suffix in ("csv", "md", "html")} <= {
        path.name for path in work.iterdir()
    }


def test_the_ledger_has_one_line_a_submission(
    played: list[subprocess.CompletedProcess[str]], place: Path
) -> None:
    ledger = read_table(place / "submissions" / "ledger.csv")
    assert len(ledger) == 1
    assert ledger.loc[0, "message"] == "first"
    score = float(str(ledger.loc[0, "local_score"]))
    assert f"{score:.4f}" in played[4].stdout
    assert "scored before" in played[6].stdout
    assert f"{score:.4f}, rank" in played[7].stdout


def test_a_submission_that_lost_a_line_is_refused(
    played: list[subprocess.CompletedProcess[str]], place: Path
) -> None:
    (whole,) = (place / "submissions").glob("xrays-*.csv")
    cut = place / "cut.csv"
    cut.write_text("\n".join(whole.read_text().splitlines()[:-1]) + "\n")
    with contextlib.chdir(place):
        done = verb_here("submit", "xrays", str(cut), "--local")
    assert done.returncode == 2
    assert "too few ids" in done.stderr


def test_a_changed_index_that_leaks_is_refused(
    played: list[subprocess.CompletedProcess[str]], place: Path, tmp_path: Path
) -> None:
    shutil.copytree(place / "work", tmp_path / "work")
    path = tmp_path / "work" / "xrays" / "index.csv"
    index = read_table(path)
    first = index.index[index["split"] == "test"][0]
    index.loc[first, "label"] = "Normal"
    index.to_csv(path, index=False)
    with contextlib.chdir(tmp_path):
        done = verb_here("train", str(place / "xrays"), *TINY)
    assert done.returncode == 2
    assert "labels of the test set" in done.stderr
    assert index.loc[first, "id"] in done.stderr


def test_quiet_prints_nothing(place: Path) -> None:
    done = verb("prepare", "xrays", "--size", "32", "--folds", "2", "--quiet", cwd=place)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_doctor_tells_what_is_here(in_folder: Path) -> None:
    done = verb_here("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert "keras" in done.stdout


def test_doctor_checks_what_it_can_without_keras(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> str:
        raise ImportError("no TensorFlow here")

    monkeypatch.setattr("kagglecxr.models.runtime.setup_keras", missing)
    done = verb_here("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^!.*accelerators.*no TensorFlow here$", done.stdout, re.MULTILINE)
    assert all(word in done.stdout for word in ("disk", "Kaggle account", "ImageNet weights"))


@pytest.mark.slow
def test_the_demo_ends_with_a_score_well_above_its_references(tmp_path: Path) -> None:
    done = verb("demo", cwd=tmp_path, limit=1800)
    assert done.returncode == 0, done.stderr
    scores = {
        name.strip(): float(score)
        for name, score in re.findall(r"^ +\d+  (.+?) +(0\.\d{4})", done.stdout, re.MULTILINE)
    }
    (ours,) = [score for name, score in scores.items() if name.startswith("demo-")]
    assert scores["pixel logistic regression"] < 0.45
    assert ours > scores["pixel logistic regression"] + 0.25


def fill_up(file: Path) -> None:
    with contextlib.suppress(OSError), file.open("wb", buffering=0) as stream:
        while True:
            stream.write(bytes(4096))


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_is_told_and_what_was_done_is_kept(demo_images: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("this machine does not let root mount a small disk")
    try:
        work = ["--work", str(disk / "work")]
        prepare = ["prepare", "demo", "--data", str(demo_images), *work, "--folds", "2"]
        told = refused(*prepare, "--size", "512", cwd=tmp_path)
        assert re.search("compressed cache .* where .* are free", told)
        assert verb(*prepare, "--size", "32", cwd=tmp_path).returncode == 0
        filling = disk / "filling"
        fill_up(filling)
        told = refused("train", "demo", *work, *TINY, cwd=tmp_path)
        assert re.search("disk is full|not enough disk space", told)
        filling.unlink()
        assert verb("train", "demo", *work, *TINY, cwd=tmp_path).returncode == 0
    finally:
        subprocess.run(["umount", str(disk)], check=True)
