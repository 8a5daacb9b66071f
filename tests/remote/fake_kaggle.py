"""A local server that plays Kaggle, records every request, and can fail in many ways.

The client reaches it as its proxy: with its setting LOCALHOST it sends whole addresses, of the API
and of file storage alike.
"""

import contextlib
import dataclasses
import io
import json
import socket
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

API = "/api/v1/"
STORAGE = "http://storage.test/signed.tar.gz"
CHUNK = 2**16
SIGNED = f"{STORAGE}?X-Goog-Signature=s1gnature"


@dataclass(frozen=True)
class RecordedRequest:
    """A request that the server received.

    Attributes:
        method: POST for every call of the API.
        address: the whole URL.
        headers: with lower-case names.
        body: the bytes.
    """

    method: str
    address: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def call(self) -> str:
        """`service/Method` of the API, or the URL without its query."""
        path = urlsplit(self.address).path
        return path.removeprefix(API) if path.startswith(API) else self.address.split("?")[0]

    @property
    def fields(self) -> dict[str, Any]:
        """A call's arguments."""
        fields: dict[str, Any] = json.loads(self.body)
        return fields


@dataclass(frozen=True)
class FakeResponse:
    """What the server sends, and where it breaks off.

    Attributes:
        status: of HTTP.
        body: the bytes.
        headers: besides Content-Length.
        sent: how many bytes of the body are sent; all if None.
        mute: nothing is sent, not even a status.
        hangs: the connection stays open after the last byte that is sent.
        paced: called after each chunk, with the number of its bytes; may block.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    sent: int | None = None
    mute: bool = False
    hangs: bool = False
    paced: Callable[[int], None] | None = None


Responder = FakeResponse | Callable[[RecordedRequest], FakeResponse]


def json_response(values: Mapping[str, Any], status: int = 200) -> FakeResponse:
    """A JSON response of the API."""
    return FakeResponse(status, json.dumps(values).encode(), {"Content-Type": "application/json"})


def error_response(status: int, message: str = "") -> FakeResponse:
    """A refusal in the API's own form."""
    return json_response({"code": status, "message": message}, status)


def redirect_response(address: str = SIGNED) -> FakeResponse:
    """The API's response to a download: the address of the file."""
    return FakeResponse(302, headers={"Location": address})


def stored_file(content: bytes, etag: str = '"one"') -> Callable[[RecordedRequest], FakeResponse]:
    """A file in storage, of which the rest may be requested while it is the same file."""
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": etag,
        "Last-Modified": "Wed, 18 Nov 2026 10:00:00 GMT",
    }

    def respond(request: RecordedRequest) -> FakeResponse:
        start = request.headers.get("range", "").removeprefix("bytes=").removesuffix("-")
        if not start or request.headers.get("if-range", etag) != etag:
            return FakeResponse(200, content, headers)
        rest = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        return FakeResponse(206, content[int(start) :], headers | rest)

    return respond


def sent_in_chunks(
    storing: Callable[[RecordedRequest], FakeResponse], paced: Callable[[int], None]
) -> Callable[[RecordedRequest], FakeResponse]:
    """A file in storage that is sent in chunks; `paced` is called after each."""
    return lambda seen: dataclasses.replace(storing(seen), paced=paced)


def tar_gz(files: Mapping[str, bytes]) -> bytes:
    """An archive as Kaggle packs a model."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


class FakeKaggle:
    """The server: sends the responses set for a call one after the other, and repeats the last."""

    def __init__(self) -> None:
        self.requests: list[RecordedRequest] = []
        self.closing = threading.Event()
        self._answers: dict[str, list[Responder]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))

    @property
    def address(self) -> str:
        """The URL under which it is a proxy."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def calls(self) -> list[str]:
        """The calls of all requests, in order."""
        return [seen.call for seen in self.requests]

    def on(self, call: str, *answers: Responder) -> None:
        """Sets the responses to a call, or to an address in storage."""
        self._answers[call] = list(answers)

    def answer(self, seen: RecordedRequest) -> FakeResponse:
        """Records a request and returns the next response to it."""
        self.requests.append(seen)
        answers = self._answers.get(seen.call, [error_response(501, "no response was set")])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return answer if isinstance(answer, FakeResponse) else answer(seen)

    @contextlib.contextmanager
    def running(self) -> Iterator["FakeKaggle"]:
        """Serves in a thread for the length of a block."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield self
        finally:
            self.closing.set()
            self._server.shutdown()
            thread.join()
            self._server.server_close()


def _handler(fake_kaggle: FakeKaggle) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            answer = fake_kaggle.answer(RecordedRequest(self.command, self.path, headers, body))
            # Tests let clients give up.
            with contextlib.suppress(ConnectionError):
                if not answer.mute:
                    self.send(answer)
                if answer.mute or answer.hangs:
                    fake_kaggle.closing.wait(60)

        def send(self, answer: FakeResponse) -> None:
            self.send_response(answer.status)
            for name, value in {"Content-Length": len(answer.body), **answer.headers}.items():
                self.send_header(name, str(value))
            self.end_headers()
            if answer.paced is not None:
                self.send_paced(answer.body[: answer.sent], answer.paced)
                return
            self.wfile.write(answer.body[: answer.sent])
            self.wfile.flush()

        def send_paced(self, body: bytes, paced: Callable[[int], None]) -> None:
            # What waits in the connection counts as sent, though a killed client never had it.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, CHUNK)
            for start in range(0, len(body), CHUNK):
                piece = memoryview(body)[start : start + CHUNK]
                self.wfile.write(piece)
                paced(len(piece))

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

        # CONNECT would lead out of this machine: it is answered like the rest, and goes nowhere.
        do_GET = do_POST = do_PUT = do_CONNECT = respond  # noqa: N815 the library's names

    return Handler
