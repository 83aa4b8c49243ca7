"""A model hub that runs on this very computer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread


class Hub:
    """The files of a folder under the addresses that a hub gives them; remembers what was asked for.

    Args:
        repository: The only one there is, `owner/name`.
        folder: Its files, as they are when they are asked for.
    """

    def __init__(self, repository: str, folder: Path) -> None:
        self.asked: list[str] = []
        self.credentials: list[str] = []
        self._place, self._folder = f"/{repository}/resolve/main", folder
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                hub._answer(self, body=False)

            def do_GET(self) -> None:
                hub._answer(self, body=True)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def _answer(self, request: BaseHTTPRequestHandler, *, body: bool) -> None:
        self.asked.append(request.path)
        self.credentials += request.headers.get_all("authorization", [])
        place, _, name = request.path.rpartition("/")
        if place != self._place or not (self._folder / name).is_file():
            request.send_response(404)
            request.send_header("X-Error-Code", "EntryNotFound")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        content = (self._folder / name).read_bytes()
        request.send_response(200)
        request.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        request.send_header("X-Repo-Commit", "0" * 40)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        if body:
            request.wfile.write(content)

    @contextmanager
    def running(self) -> Iterator[Hub]:
        """Answers while the block runs."""
        thread = Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()
