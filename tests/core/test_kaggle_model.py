"""A Kaggle Models handle is read, refused, written back, and found where a kernel has it."""

import doctest
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kagglecxr.core import kaggle_model
from kagglecxr.core.errors import SettingError
from kagglecxr.core.kaggle_model import KaggleModel

HANDLE = KaggleModel("keras", "densenet", "keras", "densenet_121", 3)
NEWEST = KaggleModel("keras", "densenet", "keras", "densenet_121")
INSIDE = "densenet/keras/densenet_121"
MOUNTS = [f"models/keras/{INSIDE}", INSIDE]

SLUGS = st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*", fullmatch=True)
HANDLES = st.builds(KaggleModel, SLUGS, SLUGS, SLUGS, SLUGS, st.none() | st.integers(1, 10**6))


@given(HANDLES)
def test_a_handle_written_is_the_handle_read(handle: KaggleModel) -> None:
    assert KaggleModel.parse(str(handle)) == handle
    assert str(handle) == f"kaggle://{handle.source}"


def test_the_parts_are_in_kaggle_s_order() -> None:
    text = "kaggle://google/med-gemma.2/pyTorch/4b_it/12"
    expected = KaggleModel("google", "med-gemma.2", "pyTorch", "4b_it", 12)
    assert KaggleModel.parse(text) == expected
    assert expected.source == "google/med-gemma.2/pyTorch/4b_it/12"


def test_the_version_may_be_left_out() -> None:
    assert KaggleModel.parse("kaggle://keras/densenet/keras/densenet_121") == NEWEST
    assert NEWEST.source == "keras/densenet/keras/densenet_121"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "imagenet",
        "kaggle://",
        "keras/densenet/keras/densenet_121/3",
        "Kaggle://keras/densenet/keras/densenet_121/3",
        "https://www.kaggle.com/models/keras/densenet/keras/densenet_121/3",
        "kaggle://keras/densenet",
        "kaggle://keras/densenet/keras",
        "kaggle://keras/densenet/keras/densenet_121/",
        "kaggle://keras/densenet/keras/densenet_121/newest",
        "kaggle://keras/densenet/keras/densenet_121/v3",
        "kaggle://keras/densenet/keras/densenet_121/-3",
        "kaggle://../../x/y/3",
        "kaggle://a/../x/./3",
        "kaggle://a/b/c/d/" + "1" * 5000,
        "kaggle://keras/densenet/keras/densenet_121/3/config.json",
        "kaggle://keras//keras/densenet_121/3",
        "kaggle://keras/dense net/keras/densenet_121/3",
        "kaggle://keras/densenet/keras/densenet_121/3\n",
        " kaggle://keras/densenet/keras/densenet_121/3",
    ],
)
def test_what_is_no_handle_is_refused_with_its_form(text: str) -> None:
    with pytest.raises(SettingError) as caught:
        KaggleModel.parse(text)
    assert f"Received: {text!r}" in str(caught.value)
    assert "kaggle://owner/model/framework/variation/version" in str(caught.value)


@pytest.fixture
def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which a kernel has its inputs."""
    monkeypatch.setattr(kaggle_model, "MOUNTS", tmp_path)
    return tmp_path


@pytest.mark.parametrize("mount", MOUNTS)
def test_a_kernel_has_it_at_either_mount(mount: str, mounts: Path) -> None:
    place = mounts / mount / "3"
    place.mkdir(parents=True)
    assert HANDLE.attached() == place


def test_the_mount_that_names_the_owner_goes_first(mounts: Path) -> None:
    for mount in MOUNTS:
        (mounts / mount / "3").mkdir(parents=True)
    assert HANDLE.attached() == mounts / MOUNTS[0] / "3"


@pytest.mark.parametrize("mount", MOUNTS)
def test_the_newest_is_the_highest_number(mount: str, mounts: Path) -> None:
    for version in ("9", "10", "2"):
        (mounts / mount / version).mkdir(parents=True)
    (mounts / mount / "config").mkdir()
    (mounts / mount / "11").touch()
    assert NEWEST.attached() == mounts / mount / "10"


@pytest.mark.parametrize("mount", MOUNTS)
def test_another_version_is_not_taken_for_it(mount: str, mounts: Path) -> None:
    (mounts / mount / "4").mkdir(parents=True)
    assert HANDLE.attached() is None


def test_a_file_is_no_model(mounts: Path) -> None:
    (mounts / MOUNTS[0]).mkdir(parents=True)
    (mounts / MOUNTS[0] / "3").touch()
    assert HANDLE.attached() is None
    assert NEWEST.attached() is None


def test_another_owner_s_model_is_not_taken_for_it(mounts: Path) -> None:
    (mounts / "models/mary" / INSIDE / "3").mkdir(parents=True)
    assert HANDLE.attached() is None


@pytest.mark.parametrize("handle", [HANDLE, NEWEST])
def test_outside_a_kernel_nothing_is_attached(handle: KaggleModel) -> None:
    assert not kaggle_model.MOUNTS.exists()
    assert handle.attached() is None


def test_the_docstrings_examples_are_true() -> None:
    assert doctest.testmod(kaggle_model) == (0, 1)
