"""A small HTTP server on this computer whose bad habits a test can choose."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Behaviour:
    """What the server does, and what it has been asked.

    Attributes:
        files: Content by path, such as `/a.zip`.
        ranges: Whether it knows `Range`.
        shift: Answer with a part that starts this many bytes too late.
        cut_after: Close the connection after this many bytes of a body, once per entry.
        statuses: Answer with these statuses first, one a request.
        content_type: Of every file.
        headers: Further headers of every file.
        redirect: Where to send every request.
        requests: Path and `Range` of every request, as they came.
    """

    files: dict[str, bytes]
    ranges: bool = True
    shift: int = 0
    cut_after: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    content_type: str = "application/octet-stream"
    headers: dict[str, str] = field(default_factory=dict)
    redirect: str = ""
    requests: list[tuple[str, str]] = field(default_factory=list)
    address: str = ""


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[Behaviour]:
    """Serve until the block ends; `behaviour.address` says where."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            behaviour.requests.append((self.path, self.headers.get("Range", "")))
            content = behaviour.files.get(self.path)
            if behaviour.statuses:
                self.send_error(behaviour.statuses.pop(0))
            elif behaviour.redirect:
                self.send_response(302)
                self.send_header("Location", behaviour.redirect)
                self.end_headers()
            elif content is None:
                self.send_error(404)
            else:
                self._send(content)

        def _send(self, content: bytes) -> None:
            tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
            wanted = self.headers.get("Range", "")
            start = 0
            if behaviour.ranges and wanted and self.headers.get("If-Range") == tag:
                start = int(wanted.removeprefix("bytes=").removesuffix("-")) + behaviour.shift
                if start >= len(content):
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(len(content) - start))
            self.send_header("Content-Type", behaviour.content_type)
            self.send_header("ETag", tag)
            for name, value in behaviour.headers.items():
                self.send_header(name, value)
            self.end_headers()
            body = content[start:]
            with suppress(ConnectionError):  # the client may hang up as soon as it has seen the headers
                self.wfile.write(body[: behaviour.cut_after.pop(0)] if behaviour.cut_after else body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    behaviour.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield behaviour
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
