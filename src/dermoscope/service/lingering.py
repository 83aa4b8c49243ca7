"""Lets a client finish sending before it is refused.

A server that answers and closes while a body still comes in resets the connection, and the client never sees why it was
refused. So the rest is read and dropped first, within limits.
"""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_TOO_SLOW = 408  # who got this has been waited for


class Lingering:
    """ASGI middleware that drops the rest of a body before the answer starts.

    Args:
        app: What lies behind.
        most_bytes: Are dropped; who sends more may see a reset connection.
        seconds: For that.
    """

    def __init__(self, app: ASGIApp, most_bytes: int, seconds: float = 5.0) -> None:
        self._app, self._most_bytes, self._seconds = app, most_bytes, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on."""
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        if "transfer-encoding" not in headers and headers.get("content-length", "0") == "0":
            await self._app(scope, receive, send)
            return
        complete = False
        coming = "expect" not in headers  # who waits for leave to send will not send after a refusal

        async def watched() -> Message:
            nonlocal coming, complete
            coming = True
            message = await receive()
            complete = complete or not message.get("more_body", False)
            return message

        async def lingering(message: Message) -> None:
            if message["type"] == "http.response.start" and not complete:
                if coming and message["status"] != _TOO_SLOW:
                    await drop_rest()
                if not complete:  # the rest must not be taken for another request
                    message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            await send(message)

        async def drop_rest() -> None:
            dropped = 0
            try:
                async with asyncio.timeout(self._seconds):
                    while not complete and dropped <= self._most_bytes:
                        dropped += len((await watched()).get("body", b""))
            except TimeoutError:
                pass

        await self._app(scope, watched, lingering)
