"""The official client with a time limit on every request, and without any printing or exit.

Importing this module imports the client, which takes a moment: do so only to call Kaggle.
"""

import importlib
import importlib.util
import io
import json
import os
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from time import sleep
from types import SimpleNamespace
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from kagglecxr.remote.errors import FIRST_REPEAT, REPEATS

_MODULE = "kaggle.api.kaggle_api_extended"


def _import_client() -> Any:
    """Imports the client's module without running `kaggle/__init__.py`.

    That file signs in as soon as it is imported: it prints help where there are no credentials,
    and it hangs where Kaggle does not answer.
    """
    spec = importlib.util.find_spec("kaggle")
    if spec is None or "kaggle" in sys.modules:
        return importlib.import_module(_MODULE)
    sys.modules["kaggle"] = package = importlib.util.module_from_spec(spec)
    package.__dict__["__version__"] = metadata.version("kaggle")
    try:
        return importlib.import_module(_MODULE)
    finally:
        # So that an `import kaggle` elsewhere in this process runs the file as usual.
        del sys.modules["kaggle"]


_client = _import_client()
_KaggleApi: Any = _client.KaggleApi
_Upload = _client.ResumableUploadResult


class _TimeLimitAdapter(HTTPAdapter):
    """Gives up a connection that stays silent for too long."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def send(self, request: Any, *arguments: Any, **options: Any) -> requests.Response:
        return super().send(request, *arguments, **{**options, "timeout": self._seconds})


class _StorageIsBusyError(Exception):
    """Kaggle's storage wants an upload later, after the seconds it says or None."""

    def __init__(self, seconds: float | None) -> None:
        super().__init__("Kaggle's storage has had too many uploads")
        self.seconds = seconds


def _checked(response: requests.Response) -> requests.Response:
    after = response.headers.get("Retry-After")
    if response.status_code == 429 or (response.status_code == 503 and after is not None):
        raise _StorageIsBusyError(float(after) if after and after.isdigit() else None)
    return response


class QuietKaggleApi(_KaggleApi):  # type: ignore[misc]
    """`KaggleApi` with a time limit on every request, and without any printing or exit.

    Attributes:
        on_download: called with a file's path and its bytes before the first of them is written;
            refuses the download by raising.
        on_upload: called with the number of bytes that were just sent.
        on_pause: called with seconds to wait before an upload is tried again, and why; refuses the
            pause by raising.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        # "--verbose" would print every request, credentials included.
        self.args = [argument for argument in _KaggleApi.args if argument != "--verbose"]
        self.on_download: Callable[[Path, int], None] = lambda path, size: None
        self.on_upload: Callable[[int], None] = lambda size: None
        self.on_pause: Callable[[float, str], None] = lambda seconds, why: sleep(seconds)

    def sign_in(self) -> bool:
        """Signs in as `authenticate` does, which prints help and exits without credentials.

        Returns:
            Whether there are credentials.
        """
        self._load_config()
        self._authenticated = bool(
            self._authenticate_with_access_token()
            or self._authenticate_with_legacy_apikey()
            or self._authenticate_with_oauth_creds()
        )
        return self._authenticated

    def read_config_file(self, *_: object, **__: object) -> dict[str, Any]:
        """Reads kaggle.json without printing warnings about it."""
        try:
            return json.loads(Path(self.config).read_text(encoding="utf-8")) or {}
        except (OSError, ValueError):
            return {}

    def build_kaggle_client(self) -> Any:
        """Builds a client whose session has the time limit."""
        client = super().build_kaggle_client()
        http = client.http_client()
        http._init_session()
        self._limit(http._session)
        return client

    def with_retry(
        self, method: Callable[..., Any], *_: object, **__: object
    ) -> Callable[..., Any]:
        """Returns the method itself: retries are left to `call_with_retry`."""
        return method

    def _limit(self, session: requests.Session) -> requests.Session:
        for prefix in ("https://", "http://"):
            session.mount(prefix, _TimeLimitAdapter(self._timeout))
        return session

    def get_response_processor(self) -> None:
        """Returns none: the usual one prints that there is a newer client."""

    def _print_dataset_url_and_license(self, *_: object) -> None:
        """Prints nothing, where the base class prints even when it is told to be quiet."""

    def download_file(
        self, response: requests.Response, outfile: str, http_client: Any, *options: Any
    ) -> None:
        """Downloads, resumes and retries as the base class does, after calling `on_download`."""
        with response:
            self.on_download(Path(outfile), int(response.headers.get("Content-Length") or 0))
            super().download_file(response, outfile, http_client, *options, timeout=self._timeout)

    def upload_complete(self, path: str, url: str, quiet: bool, resume: bool = False) -> int:
        """Uploads a file by the base class's protocol, which waits in silence and without limit.

        Returns:
            One of the constants of the client's `ResumableUploadResult`.
        """
        pause, pauses = FIRST_REPEAT, 0
        while True:
            try:
                with self._limit(requests.Session()) as session, io.FileIO(path) as file:
                    return self._upload(session, file, url, resume)
            except _StorageIsBusyError as error:
                self.on_pause(pause if error.seconds is None else error.seconds, str(error))
            except requests.RequestException:
                if pauses == REPEATS:
                    # The caller tries again, and then resumes.
                    return int(_Upload.INCOMPLETE)
                pauses += 1
                self.on_pause(pause, "The upload to Kaggle's storage was interrupted")
            pause *= 2

    def _upload(self, session: requests.Session, file: io.FileIO, url: str, resume: bool) -> int:
        size = os.fstat(file.fileno()).st_size
        answers = {200: _Upload.COMPLETE, 201: _Upload.COMPLETE}
        start = 0
        if resume:
            status = _checked(session.put(url, headers={"Content-Range": f"bytes */{size}"}))
            if status.status_code != requests.codes.permanent_redirect:
                answers[404] = _Upload.EXPIRED
                return int(answers.get(status.status_code, _Upload.FAILED))
            last = self._get_bytes_already_uploaded(status, True)
            if last is None:
                return int(_Upload.EXPIRED)
            start = last + 1
        file.seek(start)
        rest = {"Content-Range": f"bytes {start}-{size - 1}/{size}"} if start else {}
        progress = SimpleNamespace(update=self.on_upload)
        with _client.TqdmBufferedReader(file, progress) as reader:
            status = _checked(session.put(url, data=reader, headers=rest))
        answers |= {503: _Upload.INCOMPLETE, **dict.fromkeys((401, 403, 404), _Upload.EXPIRED)}
        return int(answers.get(status.status_code, _Upload.FAILED))
