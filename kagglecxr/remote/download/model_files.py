"""Fetches one version of a Kaggle model's variation, whole or not at all."""

import dataclasses
import tempfile
from pathlib import Path

from kagglecxr.core.kaggle_model import KaggleModel
from kagglecxr.core.progress import Reporter
from kagglecxr.remote.archives import unpack
from kagglecxr.remote.client import TIMEOUT, kaggle_client
from kagglecxr.remote.errors import KaggleError, RequestContext


def fetch_model(
    handle: KaggleModel, folder: Path, reporter: Reporter, timeout: float = TIMEOUT
) -> Path:
    """The folder with a model's files, fetched from Kaggle unless they are there already.

    Args:
        handle: the model. Without a version Kaggle is asked for the newest, each time.
        folder: where models are kept, as owner/model/framework/variation/version.
        reporter: told of what is fetched.
        timeout: seconds of silence after which a connection is given up.

    Raises:
        MissingError: there is no client, or there are no credentials.
        KaggleError: Kaggle refused, fell silent, or could not be reached.
        DataError: the archive is broken, or has entries outside itself.
        OSError: the disk is full.
    """
    if handle.version is None:
        handle = _newest_version(handle, timeout)
    place = folder / handle.source
    if place.is_dir():
        return place
    reporter.note(f"Fetching {handle} from Kaggle into {place}.")
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=place.parent) as beside:
        archive = _download_archive(handle, Path(beside), timeout)
        files = Path(beside, "files")
        files.mkdir()
        unpack(archive, files, str(handle))
        try:
            files.replace(place)
        except OSError:
            # Another process may have been faster; its files are the same.
            if not place.is_dir():
                raise
    return place


def _newest_version(handle: KaggleModel, timeout: float) -> KaggleModel:
    with kaggle_client(_model_context(handle), timeout) as api:
        version = api.model_instance_get(handle.source).version_number
    if not version:
        raise KaggleError(
            f"Kaggle names no version of a model. Received: {version} for {handle}. Name one: "
            f"{handle}/1"
        )
    return dataclasses.replace(handle, version=version)


def _download_archive(handle: KaggleModel, folder: Path, timeout: float) -> Path:
    with kaggle_client(_model_context(handle), timeout) as api:
        # It untars on request, but trusts the archive.
        return Path(api.model_instance_version_download(handle.source, str(folder)))


def _model_context(handle: KaggleModel) -> RequestContext:
    version = "/VERSION" if handle.version is None else ""
    return RequestContext(
        what=str(handle),
        if_refused=f"Open https://www.kaggle.com/models/{handle.owner}/{handle.model}, signed in "
        "as the token's user, and accept the model's terms.",
        if_unknown="Check the handle, letter by letter, on the model's page.",
        instead=f"In a kernel without internet attach the model: add {handle.source}{version} to "
        "model_sources.",
    )
