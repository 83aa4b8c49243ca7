"""Limits on what comes in, set where it comes in: no body is larger or slower than it may be, whoever reads it."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dermoscope.service.errors import ServiceError
from dermoscope.service.settings import MEGABYTE
from dermoscope.service.state import Service


class Intake:
    """ASGI middleware that counts a body while it arrives, and takes nothing new while the service stops.

    Args:
        app: What lies behind.
        service: With its limits and metrics.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on with a counted body.

        Raises:
            ServiceError: 503 while the service stops; 413 if the body says that it is too large. Who reads the body
                meets 413 if it turns out too large, and 408 if it comes too slowly.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._service.stopping:
            raise ServiceError(503, "stopping", "the service is stopping; try again when it runs again")
        limits = self._service.settings.limits
        headers = Headers(scope=scope)
        is_json = headers.get("content-type", "").startswith("application/json")
        largest = limits.json_bytes if is_json else limits.body_bytes
        announced = headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > largest:
            raise too_large("body", largest)
        end = asyncio.get_running_loop().time() + limits.upload_seconds
        count, complete = 0, False

        async def counted() -> Message:
            nonlocal count, complete
            if complete:
                return await receive()
            try:
                async with asyncio.timeout_at(end):
                    message = await receive()
            except TimeoutError:
                raise ServiceError(
                    408,
                    "upload-too-slow",
                    f"the upload took longer than {limits.upload_seconds:g} s; send less at once",
                ) from None
            count += len(message.get("body", b""))
            self._service.metrics.count_bytes(len(message.get("body", b"")))
            if count > largest:
                raise too_large("body", largest)
            complete = not message.get("more_body", False)
            return message

        await self._app(scope, counted, send)


def too_large(what: str, largest: int) -> ServiceError:
    """The refusal of a body or a file of more than `largest` bytes."""
    return ServiceError(
        413,
        f"{what}-too-large",
        f"the {what} is larger than {largest / MEGABYTE:.3g} MB; send smaller images, or fewer at once",
    )
