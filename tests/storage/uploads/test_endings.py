"""Uploads that come to nothing: nothing of them is left, however they end."""

from __future__ import annotations

import asyncio
import gc
import io
import os
import signal
import socket
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import pytest
from asgiref.sync import sync_to_async
from django.core.asgi import get_asgi_application
from django.core.files.uploadhandler import FileUploadHandler, StopFutureHandlers
from django.core.signals import request_finished
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.test import Client, RequestFactory

from djongo_services.storage import UploadInterrupted
from djongo_services.storage.uploads import GridFSUploadHandler, pending
from djongo_services.storage.uploads.pending import HeldUpload
from tests.storage.uploads.conftest import HANDLER, NOTHING, Site, calling
from tests.transaction.conftest import failing, uri_of

MB = 1024 * 1024
PART = 65_536
ROOT = Path(__file__).parents[3]
TYPE = "multipart/form-data; boundary=x"
HEAD = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
END = b"\r\n--x--\r\n"
UNDER_WAY = {"files": 0, "chunks": 8, "uploads": 1}
"""While the second batch of chunks is being collected."""


class Body(io.RawIOBase):
    """``wsgi.input``: some bytes, and then whatever ``at_the_end`` does."""

    def __init__(self, size: int, at_the_end: Any = lambda: b"") -> None:
        self.length = len(HEAD) + size + len(END)
        self.parts = [HEAD, *[b"x" * PART] * (size // PART), END]
        self._at_the_end = at_the_end
        self._rest = b""

    def cut(self, parts: int = 1) -> Body:
        """Without the last parts, which were announced all the same."""
        del self.parts[-parts:]
        return self

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = self.parts.pop(0) if self.parts else self._at_the_end()
        piece, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)


def send(body: Body, client: Client | None = None) -> Any:
    client = client or Client(raise_request_exception=False)
    environ: dict[str, Any] = {
        "wsgi.input": body,
        "CONTENT_LENGTH": str(body.length),
        "CONTENT_TYPE": TYPE,
    }
    return client.generic("POST", "/", **environ)


def looking(request: Any) -> HttpResponse:
    return HttpResponse(", ".join(request.FILES))


@pytest.fixture
def looked_at(site: Site) -> Site:
    site.serve(calling(looking))
    return site


def test_the_client_goes_away_in_the_middle(looked_at: Site) -> None:
    counts: list[dict[str, int]] = []

    def reset() -> bytes:
        counts.append(looked_at.counts)
        raise ConnectionResetError("Connection reset by peer")

    assert send(Body(3 * MB, reset).cut()).status_code == 500
    assert counts == [UNDER_WAY]
    assert looked_at.counts == NOTHING


def test_the_csrf_middleware_keeps_silent_about_it(looked_at: Site) -> None:
    looked_at.settings.MIDDLEWARE = ["django.middleware.csrf.CsrfViewMiddleware"]

    counts: list[dict[str, int]] = []

    def reset() -> bytes:
        counts.append(looked_at.counts)
        raise ConnectionResetError("Connection reset by peer")

    client = Client(enforce_csrf_checks=True)
    client.cookies["csrftoken"] = "a" * 32
    assert send(Body(3 * MB, reset).cut(), client).status_code == 403
    assert counts == [UNDER_WAY]
    assert looked_at.counts == NOTHING


def test_the_body_ends_too_early(looked_at: Site) -> None:
    assert send(Body(3 * MB).cut(5)).content == b""
    assert looked_at.counts == NOTHING


def test_the_body_is_wrong_after_a_while(looked_at: Site) -> None:
    body = Body(3 * MB)
    body.parts[0] = HEAD.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n")
    body.parts[-2] = b"x" * (PART - 1)  # which are no four letters for each three bytes
    body.length = sum(map(len, body.parts))
    assert send(body).status_code == 400
    assert looked_at.counts == NOTHING


def test_too_many_files(looked_at: Site) -> None:
    looked_at.settings.DATA_UPLOAD_MAX_NUMBER_FILES = 2
    assert looked_at.post(*[("a.png", b"x" * MB)] * 3).status_code == 400
    assert looked_at.counts == NOTHING


def test_another_handler_breaks(looked_at: Site) -> None:
    looked_at.settings.FILE_UPLOAD_HANDLERS = [f"{__name__}.Breaking", HANDLER]
    assert looked_at.post(("a.png", b"x" * 3 * MB)).status_code == 500
    assert looked_at.counts == NOTHING


class Breaking(FileUploadHandler):
    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        if start > 2.5 * MB:
            raise RuntimeError("the virus scanner is down")
        return raw_data

    def file_complete(self, file_size: int) -> None: ...


def test_another_handler_takes_the_file(looked_at: Site, tmp_path: Any) -> None:
    looked_at.settings.FILE_UPLOAD_TEMP_DIR = tmp_path
    temporary = "django.core.files.uploadhandler.TemporaryFileUploadHandler"
    looked_at.settings.FILE_UPLOAD_HANDLERS = [temporary, HANDLER]
    assert looked_at.post(("a.png", b"x" * MB), ("b.png", b"")).content == b"file"
    assert looked_at.counts == NOTHING


def test_the_server_refuses_chunks_in_the_middle(looked_at: Site) -> None:
    chunks = f"{looked_at.database.name}.fs.chunks"
    refusal: dict[str, Any] = {"times": 1, "errorCode": 20, "namespace": chunks}
    with ExitStack() as stack:

        def rest() -> Iterator[bytes]:
            assert looked_at.counts == UNDER_WAY
            stack.enter_context(failing(looked_at.database.client, "insert", **refusal))
            yield from [b"x" * PART] * 40
            yield END

        parts = rest()
        body = Body(40 * PART, lambda: next(parts, b"")).cut()
        body.length += 40 * PART
        assert send(body).status_code == 500
    assert looked_at.counts == NOTHING


def test_a_real_connection_that_is_reset(looked_at: Site) -> None:
    with serving() as port:
        for linger in (b"\x01\0\0\0\0\0\0\0", None):  # a reset, and a proper end in the middle
            ended.clear()
            with socket.create_connection(("127.0.0.1", port)) as connection:
                body = Body(3 * MB)
                head = f"POST / HTTP/1.0\r\nContent-Type: {TYPE}\r\nContent-Length: {body.length}"
                connection.sendall(head.encode() + b"\r\n\r\n")
                for part in body.parts[:-8]:
                    connection.sendall(part)
                received.wait(30)
                assert looked_at.counts == UNDER_WAY
                if linger:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            assert ended.wait(30)
            received.clear()
            assert looked_at.counts == NOTHING


received, ended = threading.Event(), threading.Event()


@contextmanager
def serving() -> Iterator[int]:
    class Quiet(WSGIRequestHandler):
        def log_message(self, format: str, *args: Any) -> None: ...

    def finish(**kwargs: Any) -> None:
        ended.set()

    with (
        WSGIServer(("127.0.0.1", 0), Quiet) as server,
        pytest.MonkeyPatch.context() as patch,
    ):
        send = HeldUpload._send
        patch.setattr(HeldUpload, "_send", lambda *args: _noticed(send(*args)))
        server.handle_error = lambda *args: None
        server.set_app(get_wsgi_application())
        request_finished.connect(finish)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_port
        finally:
            request_finished.disconnect(finish)
            server.shutdown()
            thread.join()


def _noticed(nothing: None) -> None:
    received.set()


def test_a_request_that_is_never_closed(looked_at: Site) -> None:
    request = RequestFactory().generic("POST", "/", b"", TYPE)
    handler = GridFSUploadHandler(request)
    with pytest.raises(StopFutureHandlers):
        handler.new_file("file", "a.png", "image/png", None)
    handler.receive_data_chunk(b"x" * 3 * MB, 0)
    assert looked_at.counts == UNDER_WAY
    del request, handler
    gc.collect()
    assert looked_at.counts == UNDER_WAY
    assert looked_at.post(("b.png", b"another request")).content == b"file"
    assert looked_at.counts == NOTHING


def test_without_a_request_the_file_ends_what_it_is(looked_at: Site) -> None:
    handler = GridFSUploadHandler()
    for name in ("a.png", "b.png"):
        with pytest.raises(StopFutureHandlers):
            handler.new_file("file", name, "image/png", None)
        assert handler.receive_data_chunk(b"x" * 3 * MB, 0) is None
        if name == "a.png":
            assert handler.file_complete(3 * MB).read(2) == b"xx"
            assert not hasattr(handler, "file")
    assert looked_at.counts == {"files": 0, "chunks": 13 + 8, "uploads": 2}
    handler.upload_interrupted()
    assert looked_at.counts == {"files": 0, "chunks": 13, "uploads": 1}
    assert handler.file_complete(0) is None


async def test_the_client_goes_away_while_the_view_works_under_asgi(looked_at: Site) -> None:
    begun, went = asyncio.Event(), asyncio.Event()

    async def view(request: Any) -> HttpResponse:
        assert request.FILES["file"].size == 3 * MB
        begun.set()
        await asyncio.Event().wait()
        return HttpResponse()

    looked_at.serve(view)
    body = Body(3 * MB)
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in body.parts]
    messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Any:
        if messages:
            return messages.pop(0)
        await begun.wait()
        assert looked_at.counts == {"files": 0, "chunks": 13, "uploads": 1}
        went.set()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [(b"content-type", TYPE.encode()), (b"content-length", b"%d" % body.length)],
    }
    await asyncio.wait_for(get_asgi_application()(scope, receive, send), 60)
    assert went.is_set()
    gc.collect()
    looked_at.serve(calling(looking))
    await sync_to_async(looked_at.post)(("b.png", b"another request"))
    assert looked_at.counts == NOTHING


def test_a_process_that_is_killed_leaves_an_entry(site: Site) -> None:
    """The collector finds the leftovers by this entry."""
    code = """
import django, sys; django.setup()
from django.core.files.uploadhandler import StopFutureHandlers
from djongo_services.storage.uploads import GridFSUploadHandler
handler = GridFSUploadHandler()
try:
    handler.new_file("file", "a.png", "image/png", None)
except StopFutureHandlers:
    handler.receive_data_chunk(b"x" * 3 * 1024 * 1024, 0)
print("received", flush=True)
sys.stdin.read()
"""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.storage.serving.settings",
        "SERVED_URI": uri_of(site.database),
        "SERVED_DATABASE": site.database.name,
        "SERVED_MIDDLEWARE": "[]",
    }
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, env=environment, text=True, **pipes) as process:
        assert process.stdout.readline() == "received\n"
        process.send_signal(signal.SIGKILL)
    assert site.counts == UNDER_WAY
    entry = site.database["fs.uploads"].find_one()
    assert site.database["fs.chunks"].distinct("files_id") == [entry["_id"]]
    assert (entry["filename"], entry["length"]) == ("a.png", 3 * MB)
    assert entry["metadata"] == {"contentType": "image/png", "field": "file"}
    assert entry["startedAt"] == entry["touchedAt"]


def test_an_upload_that_goes_on_stays_young(site: Site, monkeypatch: Any) -> None:
    monkeypatch.setattr(pending, "TOUCH_SECONDS", 0.0)
    seen: list[dict[str, Any]] = []

    def note(self: HeldUpload, batch: Any) -> None:
        original(self, batch)
        seen.append(site.database["fs.uploads"].find_one())

    original = HeldUpload._send
    monkeypatch.setattr(HeldUpload, "_send", note)
    site.serve(calling(looking))
    assert site.post(("a.png", b"x" * 5 * MB)).content == b"file"
    assert len(seen) == 3
    lengths = [each["length"] for each in seen]
    assert lengths == sorted(set(lengths))
    assert seen[0]["touchedAt"] <= seen[1]["touchedAt"] <= seen[2]["touchedAt"]
    assert {each["startedAt"] for each in seen} == {seen[0]["touchedAt"]}


@pytest.mark.parametrize("size", [3 * MB, 10])
def test_what_the_collector_took_is_not_saved(site: Site, size: int) -> None:
    def work(request: Any) -> None:
        uploaded = request.FILES["file"]
        site.database["fs.uploads"].delete_one({})
        site.database["fs.chunks"].delete_many({})
        with pytest.raises(UploadInterrupted) as refusal:
            site.storage.save("a.png", uploaded)
        assert str(refusal.value) == (
            "The upload of 'a.png' lay still for so long that gridfs_gc removed it; send it again."
        )

    site.serve(calling(work))
    assert site.post(("a.png", b"x" * size)).content == b"done"
    assert site.counts == NOTHING


def test_what_the_collector_takes_while_it_arrives_is_refused(
    looked_at: Site, monkeypatch: Any
) -> None:
    monkeypatch.setattr(pending, "TOUCH_SECONDS", 0.0)

    def rest() -> Iterator[bytes]:
        looked_at.database["fs.uploads"].delete_one({})
        yield from [b"x" * PART] * 40
        yield END

    parts = rest()
    body = Body(40 * PART, lambda: next(parts, b"")).cut()
    body.length += 40 * PART
    assert send(body).status_code == 500
    assert looked_at.counts == NOTHING


def test_memory_is_bounded(looked_at: Site) -> None:
    assert looked_at.post(("a.png", b"warm up")).content == b"file"
    parts = iter([b"x" * PART] * 1_600)
    body = Body(0, lambda: next(parts, END)).cut()
    body.length += 1_600 * PART
    tracemalloc.start()
    try:
        assert send(body).content == b"file"
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 * MB
    assert looked_at.counts == NOTHING
