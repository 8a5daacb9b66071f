"""Downloads one version of a Kaggle model's variation, completely or not at all."""

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

from kagglecxr.core.kaggle_model import KaggleModel
from kagglecxr.core.progress import Reporter
from kagglecxr.remote.archives import unpack
from kagglecxr.remote.client import call_with_retry
from kagglecxr.remote.errors import PAGE, KaggleError, RequestContext


def fetch_model(handle: KaggleModel, folder: Path, reporter: Reporter) -> Path:
    """Returns the folder with a model's files, and downloads them unless they are there.

    A handle without a version is of the newest, which is looked up each time. `folder` holds
    models as owner/model/framework/variation/version.

    Raises:
        KaggleError: Kaggle refused, did not answer, or could not be reached.
        DataError: the archive is broken, or has entries outside itself.
    """
    if handle.version is None:
        handle = _with_newest_version(handle, reporter)
    target = folder / handle.source
    if target.is_dir():
        return target
    reporter.note(f"Downloading {handle} from Kaggle into {target}.")
    target.parent.mkdir(parents=True, exist_ok=True)

    def download(api: Any) -> Path:
        # The client could unpack it, but does not check what is in it.
        return Path(api.model_instance_version_download(handle.source, unfinished, quiet=True))

    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=target.parent) as unfinished:
        archive = call_with_retry(_context(handle), download, reporter)
        files = Path(unfinished, "files")
        files.mkdir()
        unpack(archive, files, str(handle))
        try:
            files.replace(target)
        except OSError:
            # Another process may have been faster; its files are the same.
            if not target.is_dir():
                raise
    return target


def _with_newest_version(handle: KaggleModel, reporter: Reporter) -> KaggleModel:
    version = call_with_retry(
        _context(handle),
        lambda api: api.model_instance_get(handle.source).version_number,
        reporter,
    )
    if not version:
        raise KaggleError(
            f"Kaggle names no version of a model. Received: {version} for {handle}. Name one: "
            f"{handle}/1"
        )
    return dataclasses.replace(handle, version=version)


def _context(handle: KaggleModel) -> RequestContext:
    version = "/VERSION" if handle.version is None else ""
    return RequestContext(
        what=str(handle),
        if_refused=f"Open {PAGE}/models/{handle.owner}/{handle.model}, signed in as the "
        "credentials' user, and accept the model's terms.",
        if_unknown="Check the handle, letter by letter, on the model's page.",
        instead=f"In a kernel without internet attach the model: add {handle.source}{version} to "
        "model_sources.",
    )
