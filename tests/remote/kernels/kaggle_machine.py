"""A machine as Kaggle's: mounted inputs, the image's packages without this one, and no network."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Form = Literal["old", "new"]

_GUARD = """
import ipaddress, os, pathlib, socket

def _here(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in ("localhost", "", None)

def _refuse(host):
    with pathlib.Path(os.environ["STRAYED"]).open("a") as strayed:
        strayed.write(f"{host}\\n")
    raise OSError(f"not this machine: {host}")

_connect, _look_up = socket.socket.connect, socket.getaddrinfo

def connect(self, address):
    if self.family == socket.AF_UNIX or _here(address[0]):
        return _connect(self, address)
    _refuse(address[0])

def look_up(host, *arguments, **options):
    return _look_up(host, *arguments, **options) if _here(host) else _refuse(host)

socket.socket.connect, socket.getaddrinfo = connect, look_up
"""


@dataclass(frozen=True)
class KaggleMachine:
    """A folder with `input`, `working`, `temp`, and a Python of its own.

    Attributes:
        root: the folder.
    """

    root: Path

    @classmethod
    def make(cls, root: Path, lacking: Iterable[Path]) -> "KaggleMachine":
        """A machine with all that is installed here but for what these wheels bring."""
        machine = cls(root)
        for name in ("input", "working", "home"):
            (root / name).mkdir(parents=True)
        venv.create(root / "python", symlinks=True)
        site = next((root / "python" / "lib").glob("python*/site-packages"))
        brought = {name.partition("/")[0] for wheel in lacking for name in names_in(wheel)}
        for entry in Path(sysconfig.get_paths()["purelib"]).iterdir():
            # An editable installation of the package would be found without its wheel.
            if entry.name not in brought and not entry.name.startswith(
                ("__editable__", "kagglecxr")
            ):
                (site / entry.name).symlink_to(entry)
        (site / "sitecustomize.py").write_text(_GUARD)
        return machine

    @property
    def input(self) -> Path:
        """/kaggle/input."""
        return self.root / "input"

    @property
    def working(self) -> Path:
        """/kaggle/working."""
        return self.root / "working"

    def mount_competition(self, slug: str, files: Path, form: Form) -> Path:
        """Mounts a competition's data in one of Kaggle's ways."""
        return self._mount(files, self.input / ("competitions" if form == "new" else "") / slug)

    def mount_dataset(self, ref: str, files: Path, form: Form) -> Path:
        """Mounts owner/slug likewise."""
        owner, slug = ref.split("/")
        place = self.input / "datasets" / owner / slug if form == "new" else self.input / slug
        return self._mount(files, place)

    def run(self, script: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs a script to its end."""
        kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
        return subprocess.run(
            [*_without_network(), str(self.root / "python" / "bin" / "python"), str(script)],
            env={
                **kept,
                "HOME": str(self.root / "home"),
                "STRAYED": str(self.root / "strayed.txt"),
                "TF_CPP_MIN_LOG_LEVEL": "3",
                "KAGGLECXR_INPUT": str(self.input),
                "KAGGLECXR_WORKING": str(self.working),
                "KAGGLECXR_SCRATCH": str(self.root / "temp"),
                **variables,
            },
            cwd=self.working,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    def strayed(self) -> str:
        """The hosts that were requested and are not this machine."""
        log = self.root / "strayed.txt"
        return log.read_text() if log.is_file() else ""

    @staticmethod
    def _mount(files: Path, place: Path) -> Path:
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(files, place, copy_function=os.link)
        return place


def names_in(wheel: Path) -> list[str]:
    """The files that a wheel brings."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def _without_network() -> list[str]:
    """What runs a command with no network at all, where this machine lets it."""
    command = ["unshare", "--map-root-user", "--net"]
    if sys.platform != "linux" or shutil.which(command[0]) is None:
        return []
    tried = subprocess.run([*command, "true"], check=False, capture_output=True)
    return [] if tried.returncode else command
