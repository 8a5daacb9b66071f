"""Each script as Kaggle runs it: mounted inputs, the image's packages, wheels, no network."""

import dataclasses
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from kagglecxr.core.files import read_json, read_table
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import read_run
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import Competition, load_competition
from kagglecxr.data.prepare import PrepareOptions, prepare_competition
from kagglecxr.ensembling.blend import blend_runs
from kagglecxr.remote.datasets.run_archives import unpack_run
from kagglecxr.remote.kernels.builder import KernelSettings, PrepareSettings, build_kernels
from kagglecxr.remote.kernels.kernel_options import KernelOptions
from kagglecxr.remote.kernels.templates import set_constants
from kagglecxr.training.recipe import load_recipe
from tests.ensembling.plain import PLAIN
from tests.remote.kernels.kaggle_machine import Form, KaggleMachine

SLUG, WHEELS, RUNS = "lungs-2026", "mary/kagglecxr-wheels", "mary/lungs-runs"
CLASSES = ("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia")
DESCRIPTION = f"""name = "lungs"
[source]
kind = "competition"
slug = "{SLUG}"
[classes]
names = {list(CLASSES)}
[layout]
train = ["train/{{class}}/*"]
test = ["test/*"]
sample = "sample_submission.csv"
patient = '^([A-Z]+-\\d+)'
"""
RECIPE = """model = "cnn_small"
epochs = 1
batch_size = 16
model_options = {width = 4}
"""
SETTINGS = KernelSettings(
    owner="mary", name="lungs", kind="competition", slug=SLUG, wheels=WHEELS, runs=RUNS,
    description=DESCRIPTION, prepare=PrepareSettings(size=32, folds=2),
    options=KernelOptions(
        recipe=RECIPE, trials=2, space="learning_rate = {low = 1e-4, high = 1e-2, log = true}\n"
    ),
)  # fmt: skip
HIDDEN = {"KAGGLE_IS_COMPETITION_RERUN": "1"}

Machine = Callable[[Form], KaggleMachine]


@pytest.fixture(scope="module")
def data(demo_images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight training and two test images of each class, as a competition gives them out."""
    root = tmp_path_factory.mktemp("data")
    ids = []
    for label in CLASSES:
        for number, image in enumerate(sorted((demo_images / label / "images").glob("*.png"))[:10]):
            ids += [] if number < 8 else [f"{label[0]}{number}"]
            place = f"train/{label}/{image.name}" if number < 8 else f"test/{ids[-1]}.png"
            (root / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(image, root / place)
    write_sample(root, ids[::-1])
    return root


def write_sample(root: Path, ids: list[str]) -> None:
    lines = ["id,label", *(f"{name},Normal" for name in ids)]
    (root / "sample_submission.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kernels")
    build_kernels(folder, SETTINGS)
    return folder


@pytest.fixture(scope="module")
def machine(wheels: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """A new machine with the wheels and the competition's data mounted."""

    def make(form: Form) -> KaggleMachine:
        made = KaggleMachine.make(tmp_path_factory.mktemp("kaggle") / "machine", wheels.iterdir())
        made.mount_dataset(WHEELS, wheels, form)
        made.mount_competition(SLUG, data, form)
        return made

    return make


def play(machine: KaggleMachine, script: Path, **variables: str) -> str:
    """Runs a script that must end well; what it printed."""
    done = machine.run(script, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert machine.strayed() == ""
    return done.stdout


def left_in(machine: KaggleMachine) -> list[str]:
    """The kernel's output, as Kaggle keeps it."""
    files = (path for path in machine.working.rglob("*") if path.is_file())
    return sorted(path.relative_to(machine.working).as_posix() for path in files)


def changed(script: Path, folder: Path, settings: Mapping[str, object]) -> Path:
    """The script as a Kaggler edits it."""
    copy = folder / script.name
    copy.write_text(set_constants(script.read_text(), settings))
    return copy


def packed_in_zip(wheels: Path, place: Path) -> None:
    with zipfile.ZipFile(place / "wheels.zip", "w") as archive:
        for wheel in wheels.iterdir():
            archive.write(wheel, f"wheels/{wheel.name}")


def unpacked_by_kaggle(wheels: Path, place: Path) -> None:
    for wheel in wheels.iterdir():
        shutil.unpack_archive(wheel, place / wheel.name, "zip")


@pytest.mark.parametrize(
    "mounted",
    [packed_in_zip, pytest.param(unpacked_by_kaggle, marks=pytest.mark.slow)],
)
def test_the_kit_is_there_however_its_wheels_are_mounted_and_says_what_else_is_not(
    mounted: Callable[[Path, Path], None], wheels: Path, kernels: Path, tmp_path: Path
) -> None:
    machine = KaggleMachine.make(tmp_path / "machine", wheels.iterdir())
    (machine.input / "wheels").mkdir()
    mounted(wheels, machine.input / "wheels")
    done = machine.run(kernels / "train" / "train.py")
    assert done.returncode == 1
    assert done.stderr.startswith("The data of lungs are not mounted. Received: whe")
    assert f"Attach {SLUG} to the kernel" in done.stderr
    assert done.stderr.count("\n") == 1
    assert left_in(machine) == []


def test_the_machine_has_no_network_and_tells_who_asks_for_it(tmp_path: Path) -> None:
    machine = KaggleMachine.make(tmp_path / "machine", [])
    script = tmp_path / "asks.py"
    script.write_text("import socket\nsocket.create_connection(('kaggle.test', 443))\n")
    done = machine.run(script)
    assert done.returncode == 1
    assert "not this machine: kaggle.test" in done.stderr
    assert machine.strayed() == "kaggle.test\n"


@pytest.fixture(scope="module")
def trained(machine: Machine, kernels: Path) -> KaggleMachine:
    """A machine that has trained both folds."""
    made = machine("new")
    play(made, kernels / "train" / "train.py")
    return made


@pytest.fixture(scope="module")
def packed(trained: KaggleMachine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset of the run that was trained."""
    folder = tmp_path_factory.mktemp("runs")
    (archive,) = trained.working.glob("*.zip")
    shutil.copy(archive, folder)
    return folder


@pytest.mark.slow
def test_training_leaves_the_packed_run_and_its_pictures_alone(trained: KaggleMachine) -> None:
    (archive,) = trained.working.glob("*.zip")
    assert left_in(trained) == sorted(
        [archive.name, "confusion.png", "error_by_class.png", "learning_curves.png"]
    )
    with zipfile.ZipFile(archive) as inside:
        names = {name.partition("/")[2] for name in inside.namelist()}
    assert {"run.json", "fold-0/model.weights.h5", "fold-1/model.weights.h5"} <= names


@pytest.mark.slow
@pytest.mark.parametrize("form", ["old", "new"])
def test_what_a_kernel_submits_is_what_the_run_says_at_home(
    form: Form, machine: Machine, packed: Path, kernels: Path, data: Path, tmp_path: Path
) -> None:
    made = machine(form)
    made.mount_dataset(RUNS, packed, form)
    play(made, kernels / "submit" / "submit.py")
    assert left_in(made) == ["submission.csv"]
    described = described_at(tmp_path)
    workspace = Workspace(tmp_path / "work", "lungs")
    request = PrepareOptions(data, 32, "gray | resize", 0.2, 2, False, 0)
    prepared = prepare_competition(described, workspace, request, Silent())
    run = unpack_run(next(packed.iterdir()), workspace.runs)
    blend = blend_runs(prepared, workspace, [run], tmp_path / "submissions", Silent(), PLAIN)
    assert (made.working / "submission.csv").read_text() == blend.submission.read_text()
    assert blend.record.out_of_fold is not None


def described_at(folder: Path) -> Competition:
    path = folder / "lungs.toml"
    path.write_text(DESCRIPTION)
    return load_competition(path)


@pytest.mark.slow
def test_the_scored_rerun_predicts_a_hidden_test_part_without_training_images(
    machine: Machine, packed: Path, kernels: Path, demo_images: Path
) -> None:
    made = machine("new")
    (made.input / "more").mkdir()
    # As Kaggle has it where it has unpacked the archive.
    shutil.unpack_archive(next(packed.iterdir()), made.input / "more")
    root = made.input / "competitions" / SLUG
    for part in ("train", "test"):
        shutil.rmtree(root / part)
    (root / "test").mkdir()
    ids = [f"hidden-{number}" for number in range(30)]
    for name, image in zip(
        ids, sorted((demo_images / "Normal/images").glob("*.png")), strict=False
    ):
        shutil.copy(image, root / "test" / f"{name}.png")
    (root / "test" / "hidden-7.png").write_bytes(b"no image")
    (root / "sample_submission.csv").unlink()
    write_sample(root, ids)
    done = made.run(kernels / "submit" / "submit.py", **HIDDEN)
    assert done.returncode == 0, done.stderr
    assert "hidden-7" in done.stderr
    assert "30 rows by 2 of 2 folds, 1 of them without an image" in done.stdout
    submission = read_table(made.working / "submission.csv")
    assert list(submission["id"]) == ids
    assert set(submission["label"]) <= set(CLASSES)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["old", "new"])
def test_of_a_dataset_the_rehearsal_test_set_is_scored(
    form: Form, wheels: Path, demo_images: Path, tmp_path: Path
) -> None:
    settings = dataclasses.replace(
        SETTINGS, name="xrays", kind="dataset", slug="mary/xrays", runs="mary/xrays-runs",
        description='name = "xrays"\n[source]\nkind = "dataset"\nslug = "mary/xrays"\n',
    )  # fmt: skip
    train, _, submit = build_kernels(tmp_path / "kernels", settings)
    made = KaggleMachine.make(tmp_path / "machine", wheels.iterdir())
    made.mount_dataset(WHEELS, wheels, form)
    made.mount_dataset("mary/xrays", demo_images, form)
    play(made, train / "train.py")
    (archive,) = made.working.glob("*.zip")
    again = KaggleMachine.make(tmp_path / "again", wheels.iterdir())
    again.mount_dataset(WHEELS, wheels, form)
    again.mount_dataset("mary/xrays", demo_images, form)
    (tmp_path / "runs").mkdir()
    shutil.copy(archive, tmp_path / "runs")
    again.mount_dataset("mary/xrays-runs", tmp_path / "runs", form)
    if form == "new":
        # As Kaggle has it where it has unpacked the archive.
        packed = next((again.input / "datasets/mary/xrays-runs").iterdir())
        shutil.unpack_archive(packed, packed.parent)
        packed.unlink()
    told = play(again, submit / "submit.py")
    assert left_in(again) == ["ledger.csv", "submission.csv"]
    (line,) = read_table(again.working / "ledger.csv").to_dict("records")
    assert line["status"] == "rehearsal"
    assert f"{float(line['local_score']):.4f}" in told
    images = len(read_table(again.working / "submission.csv"))
    assert f"on {images} images" in told


@pytest.mark.slow
def test_a_kernel_of_one_fold_leaves_that_fold(
    machine: Machine, kernels: Path, packed: Path, tmp_path: Path
) -> None:
    made = machine("old")
    play(made, changed(kernels / "train" / "train.py", tmp_path, {"FOLD": 1}))
    (archive,) = made.working.glob("*.zip")
    assert archive.name == next(packed.iterdir()).name
    run = unpack_run(archive, tmp_path / "runs")
    assert sorted(path.name for path in run.iterdir()) == ["fold-1", "folds.csv", "recipe.json"]
    whole = unpack_run(next(packed.iterdir()), tmp_path / "whole")
    assert read_run(whole).folds == 2
    assert (run / "folds.csv").read_bytes() == (whole / "folds.csv").read_bytes()


@pytest.mark.slow
def test_a_search_goes_on_with_its_own_output_until_the_time_is_up(
    machine: Machine, kernels: Path, tmp_path: Path
) -> None:
    first, script = machine("new"), kernels / "tune" / "tune.py"
    play(first, script)
    left = left_in(first)
    (recipe,) = (name for name in left if name.startswith("recipes/"))
    study = f"studies/{Path(recipe).stem}"
    assert left == [recipe, f"{study}/history.png", f"{study}/journal.log", f"{study}/trials.csv"]
    assert load_recipe(str(first.working / recipe)).model == "cnn_small"
    assert len(read_table(first.working / study / "trials.csv")) == 2
    second = machine("old")
    shutil.copytree(first.working, second.input / "lungs-tune")
    hasty = {"TRIALS": 500, "MARGIN": 0.002, "HOURS": 0.015}
    play(second, changed(script, tmp_path, hasty))
    before, after = ((m.working / study / "journal.log").read_text() for m in (first, second))
    assert after.startswith(before)
    assert len(after) > len(before)
    assert (second.working / recipe).is_file()


def test_the_metadata_name_what_the_scripts_need(kernels: Path) -> None:
    values = read_json(kernels / "submit" / "kernel-metadata.json")
    assert values["dataset_sources"] == [WHEELS, RUNS]
    assert values["competition_sources"] == [SLUG]
    assert values["enable_internet"] is False
