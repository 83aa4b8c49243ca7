"""Counts every answer, and writes one line of log about it that says nothing about person or file."""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dermoscope.service.metrics import Metrics

LOG = logging.getLogger("dermoscope.service")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_NO_ANSWER = 499


class Observer:
    """ASGI middleware around everything else.

    Lines and counters have the template of a path, such as `/v1/images/{token}`, never the path or what follows `?`.

    Args:
        app: What lies behind.
        metrics: Where answers are counted.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, and note what came of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        status = _NO_ANSWER

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            route = getattr(scope.get("route"), "path", "")
            self._metrics.count_request(method, route, status)
            LOG.info("%s %s %d %.0f ms", method, route or "-", status, (time.perf_counter() - start) * 1e3)
