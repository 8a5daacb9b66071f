"""The beginning of each script: `kernel build` inserts it, since only one file is sent."""

import importlib
import importlib.metadata
import os
import subprocess
import sys
import zipfile
from pathlib import Path

INPUT = Path(os.environ.get("KAGGLECXR_INPUT", "/kaggle/input"))
WORKING = Path(os.environ.get("KAGGLECXR_WORKING", "/kaggle/working"))
SCRATCH = Path(os.environ.get("KAGGLECXR_SCRATCH", "/kaggle/temp"))


def install_wheels() -> None:
    """Installs the attached wheels that are missing, wherever and however Kaggle mounts them."""
    files = [Path(folder, name) for folder, _, names in os.walk(INPUT) for name in names]
    wheels = [path for path in files if path.suffix == ".whl"]
    for path in files:
        if path.suffix == ".zip" and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                inside = [name for name in archive.namelist() if name.endswith(".whl")]
                wheels += [Path(archive.extract(name, SCRATCH)) for name in inside]
    newest = {path.name.partition("-")[0]: path for path in sorted(wheels, key=lambda p: p.name)}
    known = importlib.metadata.distributions
    missing = [str(path) for name, path in newest.items() if not any(known(name=name))]
    if missing:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
        subprocess.run([*pip, *missing], check=True)
    # A wheel that Kaggle has unpacked is used from where it is.
    folders = [str(path.parents[1]) for path in files if path.match("*.dist-info/METADATA")]
    sys.path += folders
    os.environ["PYTHONPATH"] = os.pathsep.join([*folders, os.environ.get("PYTHONPATH", "")])
    importlib.invalidate_caches()
