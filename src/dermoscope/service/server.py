"""Runs the application with uvicorn until it is told to stop."""

from __future__ import annotations

import logging
import socket
import threading
import time
import webbrowser
from collections.abc import Callable
from types import FrameType

import uvicorn

from dermoscope.service.app import create_app
from dermoscope.service.observing import LOG
from dermoscope.service.state import Service

# Beyond these, connections are refused before anything of them is read.
_MOST_CONNECTIONS = 256
_LARGEST_HEAD = 16 * 1024
_IDLE_SECONDS = 15
# For answers that are on their way when all work is done.
_LEAVING_SECONDS = 2


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Args:
        host: Address.
        port: Port; 0 takes any that is free.

    Raises:
        OSError: If the address is not of this machine, or the port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family)
    # asyncio does this for sockets of its own alone; without it an answer on a kept connection is 40 ms late, because
    # its second packet waits until the first one is acknowledged.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def serve(service: Service, listener: socket.socket, *, open_page: str = "", quiet: bool = False) -> None:
    """Serve until SIGINT or SIGTERM: what is in work is finished, new requests are answered with 503.

    Args:
        service: With its model loaded.
        listener: Where to listen; is closed at the end.
        open_page: Address to show in the browser as soon as it answers; none if empty.
        quiet: Log warnings and errors alone.
    """
    _log_to_stderr(logging.WARNING if quiet else logging.INFO)

    def on_start() -> None:
        if open_page:
            threading.Thread(target=webbrowser.open, args=(open_page,), daemon=True).start()

    StoppableServer(service, on_start).run(sockets=[listener])


class StoppableServer(uvicorn.Server):
    """A server that goes on answering while what is in work is finished; the second signal does not wait.

    Args:
        service: With its model loaded.
        on_start: Is called when the first request can be answered.
    """

    def __init__(self, service: Service, on_start: Callable[[], None]) -> None:
        config = uvicorn.Config(
            create_app(service),
            http="h11",
            ws="none",
            lifespan="on",
            access_log=False,  # it would write down tokens and what follows the ?
            log_config=None,
            proxy_headers=False,
            server_header=False,
            h11_max_incomplete_event_size=_LARGEST_HEAD,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_keep_alive=_IDLE_SECONDS,
            timeout_graceful_shutdown=_LEAVING_SECONDS,
        )
        super().__init__(config)
        self._service, self._on_start = service, on_start
        self._end: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self._on_start()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal."""
        if self._end is not None:
            super().handle_exit(sig, frame)
            return
        LOG.warning("stopping: requests in work are finished; once more drops them")
        self._end = time.monotonic() + self._service.settings.limits.stop_seconds
        self._service.stopping = True

    async def on_tick(self, counter: int) -> bool:
        """Whether to end now."""
        over = await super().on_tick(counter)
        finished = self._end is not None and (self._service.is_idle or time.monotonic() > self._end)
        return over or finished


def _log_to_stderr(level: int) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    for name, own_level in (
        (LOG.name, level),
        ("uvicorn.error", logging.WARNING),
        ("python_multipart", logging.CRITICAL),  # broken forms are answered, not logged
    ):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(own_level)
