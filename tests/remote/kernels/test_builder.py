"""Each kernel is a folder with metadata that Kaggle takes and the one script that they name."""

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slugify import slugify

from kagglecxr.core.errors import SettingError
from kagglecxr.remote.kernels.builder import (
    ExpectedResult,
    KernelSettings,
    PrepareSettings,
    build_kernels,
    kernel_slug,
)
from kagglecxr.remote.kernels.kernel_metadata import GPU_SHAPE, TPU_SHAPE, KernelMetadata
from kagglecxr.remote.kernels.kernel_options import Accelerator, KernelOptions
from tests.remote.kernels.test_templates import values

SETTINGS = KernelSettings(
    owner="mary",
    name="umons-covid19",
    kind="competition",
    slug="covid-19-challenge-umons",
    wheels="mary/kagglecxr-wheels",
    runs="mary/umons-runs",
)


SETTINGS_OF_RUNS = [SETTINGS.wheels, SETTINGS.runs]


def test_a_competition_has_three_kernels_and_the_scored_one_no_internet(tmp_path: Path) -> None:
    folders = build_kernels(tmp_path, SETTINGS)
    assert folders == [tmp_path / name for name in ("train", "tune", "submit")]
    train, tune, submit = map(KernelMetadata.read, folders)
    assert [m.id for m in (train, tune, submit)] == [
        f"mary/umons-covid19-{name}" for name in ("train", "tune", "submit")
    ]
    assert [m.enable_internet for m in (train, tune, submit)] == [True, True, False]
    assert {m.machine_shape for m in (train, tune, submit)} == {GPU_SHAPE}
    assert all(m.is_private and m.enable_gpu and not m.enable_tpu for m in (train, tune, submit))
    assert {tuple(m.competition_sources) for m in (train, tune, submit)} == {
        ("covid-19-challenge-umons",)
    }
    assert train.dataset_sources == tune.dataset_sources == ["mary/kagglecxr-wheels"]
    assert submit.dataset_sources == ["mary/kagglecxr-wheels", "mary/umons-runs"]
    assert [sorted(p.name for p in f.iterdir()) for f in folders] == [
        ["kernel-metadata.json", f"{name}.py"] for name in ("train", "tune", "submit")
    ]


def test_a_dataset_s_submission_is_scored_by_the_rehearsal(tmp_path: Path) -> None:
    chosen = dataclasses.replace(
        SETTINGS, kind="dataset", slug="john/x", options=KernelOptions(attach=("john/more",))
    )
    folders = build_kernels(tmp_path, chosen)
    assert [folder.name for folder in folders] == ["train", "tune", "submit"]
    metadata = KernelMetadata.read(folders[0])
    assert metadata.competition_sources == []
    assert metadata.dataset_sources == ["john/x", "mary/kagglecxr-wheels", "john/more"]
    submit = KernelMetadata.read(folders[2])
    assert submit.dataset_sources == ["john/x", *SETTINGS_OF_RUNS, "john/more"]
    assert not submit.enable_internet
    prepared = {"SIZE": 224, "TEST": 0.2, "FOLDS": 5, "SEED": 0}
    assert prepared.items() <= values((folders[2] / "submit.py").read_text()).items()
    demo = dataclasses.replace(SETTINGS, name="demo", kind="demo", slug="")
    metadata = KernelMetadata.read(build_kernels(tmp_path / "demo", demo)[0])
    assert metadata.dataset_sources == ["mary/kagglecxr-wheels"]


@pytest.mark.parametrize(
    ("accelerator", "shape", "hours", "submits_on"),
    [
        ("gpu", GPU_SHAPE, 12.0, GPU_SHAPE),
        ("tpu", TPU_SHAPE, 9.0, GPU_SHAPE),
        ("cpu", "", 12.0, ""),
    ],
)
def test_each_accelerator_has_its_shape_and_hours(
    accelerator: Accelerator, shape: str, hours: float, submits_on: str, tmp_path: Path
) -> None:
    chosen = dataclasses.replace(SETTINGS, options=KernelOptions(accelerator=accelerator))
    train, tune, submit = build_kernels(tmp_path, chosen)
    assert (
        KernelMetadata.read(train).machine_shape == KernelMetadata.read(tune).machine_shape == shape
    )
    assert KernelMetadata.read(submit).machine_shape == submits_on
    assert values((train / "train.py").read_text())["HOURS"] == hours
    assert values((submit / "submit.py").read_text())["HOURS"] == 9.0


def test_what_the_user_has_chosen_is_in_the_scripts(tmp_path: Path) -> None:
    description = "name = \"lungs\"\n[layout]\npatient = '^(a\\d+)'\n"
    chosen = dataclasses.replace(
        SETTINGS, description=description, run_names=("cnn-1",),
        prepare=PrepareSettings(299, "gray | clahe | resize", test=0.0, folds=3, seed=7),
        options=KernelOptions(
            recipe="epochs = 3\n", changes=("epochs=4",), trials=9, public=True, internet=False
        ),
        expected={"train": ExpectedResult("accuracy", 0.93124, 3000.0), "tune": ExpectedResult()},
    )  # fmt: skip
    train, tune, submit = build_kernels(tmp_path, chosen)
    shared = {
        "COMPETITION": description, "SIZE": 299, "PIPELINE": "gray | clahe | resize", "TEST": 0.0,
        "FOLDS": 3, "SEED": 7, "RECIPE": "epochs = 3\n", "CHANGES": ["epochs=4"],
    }  # fmt: skip
    assert shared.items() <= values((train / "train.py").read_text()).items()
    assert (shared | {"TRIALS": 9}).items() <= values((tune / "tune.py").read_text()).items()
    assert values((submit / "submit.py").read_text())["RUNS"] == ["cnn-1"]
    assert "accuracy 0.9312 out of fold, 50 minutes" in (train / "train.py").read_text()
    assert "not measured yet" in (tune / "tune.py").read_text()
    assert not KernelMetadata.read(train).is_private
    assert not KernelMetadata.read(train).enable_internet


def test_building_again_gives_the_same_bytes_and_takes_new_settings(tmp_path: Path) -> None:
    def contents() -> dict[str, bytes]:
        return {str(p): p.read_bytes() for p in tmp_path.rglob("*") if p.suffix in (".json", ".py")}

    build_kernels(tmp_path, SETTINGS)
    before = contents()
    build_kernels(
        tmp_path, dataclasses.replace(SETTINGS, owner="john", prepare=PrepareSettings(folds=4))
    )
    assert contents() != before
    build_kernels(tmp_path, SETTINGS)
    assert contents() == before


@pytest.mark.parametrize("there", ["other", "broken"])
def test_the_kernel_of_another_competition_is_left_alone(there: str, tmp_path: Path) -> None:
    build_kernels(tmp_path, SETTINGS)
    path = tmp_path / "tune" / "kernel-metadata.json"
    changed = json.loads(path.read_text()) | {"id": "mary/ranzcr-clip-tune"}
    path.write_text(json.dumps(changed) if there == "other" else "{")
    before = (tmp_path / "train" / "train.py").read_bytes()
    with pytest.raises(SettingError, match="Move or remove") as caught:
        build_kernels(tmp_path, dataclasses.replace(SETTINGS, prepare=PrepareSettings(folds=2)))
    assert str(path) in str(caught.value)
    assert (tmp_path / "train" / "train.py").read_bytes() == before


def test_a_setting_against_kaggle_s_rules_is_reported_before_anything_is_written(
    tmp_path: Path,
) -> None:
    with pytest.raises(SettingError, match="leave 'datasets/' out"):
        build_kernels(tmp_path, dataclasses.replace(SETTINGS, wheels="datasets/mary/wheels"))
    assert list(tmp_path.iterdir()) == []


@settings(deadline=None)
@given(st.text(min_size=1, max_size=80))
def test_a_slug_is_one_that_kaggle_makes_of_itself(name: str) -> None:
    slug = kernel_slug(name, "train")
    assert slugify(slug) == slug
    assert 5 <= len(f"{slug}-fold-12") <= 50


def test_long_names_that_begin_alike_stay_two() -> None:
    one, other = (kernel_slug("a-very-long-name-of-a-competition" * 2 + end, "x") for end in "12")
    assert one != other


def test_an_edited_script_is_kept_next_to_the_new_one(tmp_path: Path) -> None:
    train = build_kernels(tmp_path, SETTINGS)[0] / "train.py"
    build_kernels(tmp_path, SETTINGS)
    assert not train.with_name("train.py.old").exists()
    written = train.read_text()
    edited = written.replace("FOLDS = 5", "FOLDS = 10")
    train.write_text(edited)
    build_kernels(tmp_path, SETTINGS)
    assert train.read_text() == written
    assert train.with_name("train.py.old").read_text() == edited
