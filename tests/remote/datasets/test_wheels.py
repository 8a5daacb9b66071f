"""The wheels install without network or index, and hold all modules of the package."""

import hashlib
import os
import subprocess
import sys
import zipfile
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from wheel.wheelfile import WheelFile

import kagglecxr
from kagglecxr.core.errors import DataError, MissingError
from kagglecxr.remote.datasets import distributions
from kagglecxr.remote.datasets import wheels as wheels_module
from kagglecxr.remote.datasets.distributions import read_installed, read_source_tree
from kagglecxr.remote.datasets.wheels import build_wheels, image_versions, missing_from_image

LACKED = {"cyclopts", "docstring_parser", "rich_rst", "tf_explain", "tomli_w"}
PACKAGE = Path(kagglecxr.__file__).parent


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return build_wheels(tmp_path_factory.mktemp("dataset") / "wheels")


@pytest.fixture(scope="module")
def site(wheels: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pip put the wheels."""
    site = tmp_path_factory.mktemp("site")
    options = ["--no-index", "--no-deps", "--no-compile", "--disable-pip-version-check"]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", *options, "--target", site, *wheels]
    subprocess.run(pip, check=True, capture_output=True)
    return site


def run(site: Path, *arguments: str) -> str:
    """What Python says with the wheels before all else, and nothing of the source tree."""
    environment = os.environ | {"PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=site, env=environment
    )
    return done.stdout


def test_the_kits_wheel_comes_first_and_then_what_the_image_lacks(wheels: list[Path]) -> None:
    names = [path.name.partition("-")[0] for path in wheels]
    assert names[0] == "kagglecxr"
    assert {*names} >= LACKED
    assert not {"numpy", "tensorflow", "keras", "optuna", "rich", "kaggle"} & {*names}


def test_every_file_is_as_its_record_says(wheels: list[Path]) -> None:
    for path in wheels:
        with WheelFile(path) as wheel:
            assert all(wheel.read(name) is not None for name in wheel.namelist())


def test_everything_of_the_package_is_in_its_wheel(wheels: list[Path]) -> None:
    with zipfile.ZipFile(wheels[0]) as wheel:
        packed = {name for name in wheel.namelist() if name.startswith("kagglecxr/")}
    there = {
        path.relative_to(PACKAGE.parent).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == there


def test_the_same_content_gives_the_same_bytes_and_leaves_the_file_alone(
    wheels: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    again = build_wheels(tmp_path / "wheels")
    assert os.environ["SOURCE_DATE_EPOCH"] == "1700000000"
    digests = [
        [hashlib.sha256(path.read_bytes()).digest() for path in each] for each in (wheels, again)
    ]
    assert digests[0] == digests[1]
    for path in again:
        os.utime(path, (1e9, 1e9))
    old = tmp_path / "wheels" / "kagglecxr-0.0.1-py3-none-any.whl"
    old.touch()
    build_wheels(tmp_path / "wheels")
    assert {path.stat().st_mtime for path in again} == {1e9}
    assert {*(tmp_path / "wheels").iterdir()} == {*again}
    assert [path.name for path in tmp_path.iterdir()] == ["wheels"]


def test_what_is_installed_from_them_works(site: Path) -> None:
    assert "From a chest X-ray competition" in run(site, "-m", "kagglecxr", "--help")
    program = (
        "import kagglecxr, kagglecxr.data, kagglecxr.training.recipe as recipes\n"
        "print(kagglecxr.__file__)\n"
        "print(kagglecxr.data.load_competition('umons-covid19').name)\n"
        "import importlib.metadata; print(importlib.metadata.version('kagglecxr'))"
    )
    file, name, version = run(site, "-W", "ignore", "-c", program).splitlines()
    assert Path(file) == site / "kagglecxr" / "__init__.py"
    assert (name, version) == ("umons-covid19", kagglecxr.__version__)


def test_wheels_of_an_installed_wheel_are_the_same_files(site: Path, wheels: list[Path]) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from kagglecxr.remote.datasets.wheels import build_wheels\n"
        "print(*build_wheels(Path(sys.argv[1])), sep='\\n')"
    )
    folder = site.parent / "again" / "wheels"
    again = [Path(line) for line in run(site, "-c", program, str(folder)).splitlines()]
    for one, other in zip(wheels, again, strict=True):
        with zipfile.ZipFile(one) as first, zipfile.ZipFile(other) as second:
            assert {name: first.read(name) for name in first.namelist()} == {
                name: second.read(name) for name in second.namelist()
            }


def test_requirements_are_those_of_setup_cfg_whatever_is_installed() -> None:
    own = read_source_tree(PACKAGE)
    assert own is not None
    names = {Requirement(each).name for each in own.requires}
    assert {"tensorflow", "keras", "kaggle", "tomli-w"} <= names
    assert not any("#" in each for each in own.requires)


def test_what_is_not_a_checkout_is_none(tmp_path: Path) -> None:
    assert read_source_tree(tmp_path / "kagglecxr") is None
    (tmp_path / "setup.cfg").write_text("[metadata]\nname = another\n")
    assert read_source_tree(tmp_path / "kagglecxr") is None


def test_the_image_is_searched_by_name_and_version(monkeypatch: pytest.MonkeyPatch) -> None:
    known = image_versions()
    assert known["numpy"] == "2.0.2"
    assert known["optuna"] == ""
    assert "tf-explain" not in known
    monkeypatch.setattr(wheels_module, "image_versions", lambda: {"tomli-w": "1.0", "rich": ""})
    assert missing_from_image(["Tomli_W>=1.0", "rich>=99"]) == []
    assert [each.metadata["Name"] for each in missing_from_image(["tomli-w>=1.1"])] == ["tomli_w"]


def test_requirements_of_requirements_are_found_once_and_without_extras() -> None:
    found = missing_from_image(
        ["cyclopts>=4", "tf-explain", "cyclopts[yaml]", "pywin32; sys_platform=='win32'"]
    )
    names = [each.metadata["Name"] for each in found]
    assert names == ["cyclopts", "docstring_parser", "rich-rst", "tf-explain"]


@pytest.mark.parametrize(
    ("requirement", "received"),
    [("no-such-thing>=2", "none of no-such-thing"), ("tomli-w>=99", "version 1")],
)
def test_what_is_not_here_either_is_named(requirement: str, received: str) -> None:
    with pytest.raises(
        MissingError, match=f"Received: {received}.*Run: pip install '{requirement}'"
    ):
        missing_from_image([requirement])


def test_a_compiled_distribution_is_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"is compiled\. Received: numpy "):
        read_installed("numpy")


def written(folder: Path, record: list[str], wheel: str = "true") -> Path:
    """A distribution that is installed by what its folder says."""
    info = folder / "thing-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n")
    (info / "WHEEL").write_text(f"Root-Is-Purelib: {wheel}\nTag: py2-none-any\nTag: py3-none-any\n")
    (info / "entry_points.txt").write_text("[console_scripts]\nthing = thing:main\n")
    (info / "INSTALLER").write_text("pip")
    lines = [f"thing-1.0.dist-info/{name}" for name in ("METADATA", "WHEEL", "INSTALLER", "RECORD")]
    (info / "RECORD").write_text("".join(f"{line},,\n" for line in [*lines, *record]))
    return info


def read_written(info: Path, monkeypatch: pytest.MonkeyPatch) -> distributions.WheelContents:
    monkeypatch.setattr(distributions, "distribution", lambda _: PathDistribution(info))
    return read_installed("thing")


def test_what_an_installer_made_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "thing.py").write_text("1")
    record = ["thing.py", "__pycache__/thing.cpython-311.pyc", "../../../bin/thing"]
    found = read_written(written(tmp_path, record), monkeypatch)
    assert {*found.files} == {
        "thing.py", "thing-1.0.dist-info/METADATA", "thing-1.0.dist-info/WHEEL"
    }  # fmt: skip
    assert (found.name_version, found.tag) == ("thing-1.0", "py2.py3-none-any")


@pytest.mark.parametrize(
    ("record", "received"),
    [
        (["thing.so"], "is compiled. Received: thing 1.0 with thing.so"),
        (["../../../share/thing.txt"], "Received: thing 1.0 with ../../../share/thing.txt outside"),
        (["__editable__.thing.pth"], "not editable"),
        (["gone.py"], "is damaged. Received: thing 1.0 without .*gone.py"),
    ],
)
def test_what_cannot_be_packed_is_refused_by_name(
    record: list[str], received: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises((DataError, MissingError), match=received):
        read_written(written(tmp_path, record), monkeypatch)


def test_a_wheel_for_one_machine_alone_is_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match=r"is compiled\. Received: thing 1\.0"):
        read_written(written(tmp_path, [], wheel="false"), monkeypatch)


def test_without_a_list_of_files_nothing_is_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = written(tmp_path, [])
    (info / "RECORD").unlink()
    with pytest.raises(DataError, match="with no list of its files"):
        read_written(info, monkeypatch)
