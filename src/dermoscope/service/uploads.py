"""Uploaded files, counted while they arrive and held in memory alone.

FastAPI's own way would keep what exceeds a megabyte in a temporary file, and read a body of any size before anybody can
object. Here a request that is too large is refused as soon as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect, Request

from dermoscope.service.errors import ServiceError
from dermoscope.service.settings import MEGABYTE, Limits

FIELD = "image"
"""Name of the field that files come in."""

# Room for boundaries and part headers beside the files themselves.
_OVERHEAD_A_FILE = 1024


async def read_images(request: Request, limits: Limits) -> list[bytes]:
    """The files of a form, in order. Their names are never looked at.

    Args:
        request: With a body `multipart/form-data`.
        limits: What is refused.

    Raises:
        ServiceError: 415 for another kind of body, 413 for too large a file or body, 422 for too many files, none, or
            another field, 400 for a malformed or incomplete form, 408 for one that comes too slowly.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data" or b"boundary" not in options:
        raise ServiceError(
            415, "not-a-form", f"send the images as multipart/form-data, in the field {FIELD}, once or several times"
        )
    form = _Form(limits)
    try:
        parser = MultipartParser(options[b"boundary"], form.callbacks())
        async for chunk in _body(request, limits.body_bytes + limits.files * _OVERHEAD_A_FILE, limits.upload_seconds):
            parser.write(chunk)
        parser.finalize()
    except FormParserError:
        raise _malformed() from None
    if not form.complete:
        raise _malformed()
    if not form.files:
        raise ServiceError(422, "no-image", f"the form has no file; send one or more in the field {FIELD}")
    return [bytes(file) for file in form.files]


async def read_body(request: Request, largest: int, seconds: float) -> bytes:
    """A body that is one file.

    Args:
        request: Whose body it is.
        largest: Bytes that are taken.
        seconds: For it to arrive.

    Raises:
        ServiceError: 413 if it is larger, 408 if it comes too slowly.
    """
    return b"".join([chunk async for chunk in _body(request, largest, seconds)])


async def _body(request: Request, largest: int, seconds: float) -> AsyncIterator[bytes]:
    """The body as it comes in, until it is too large or too slow."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > largest:
        raise _too_large("body", largest)
    count = 0
    end = asyncio.get_running_loop().time() + seconds
    stream = request.stream().__aiter__()
    while True:
        try:
            async with asyncio.timeout_at(end):
                chunk = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise ServiceError(
                408, "upload-too-slow", f"the upload took longer than {seconds:g} s; send fewer files at once"
            ) from None
        count += len(chunk)
        if count > largest:
            raise _too_large("body", largest)
        yield chunk


class _Form:
    """Takes what the parser finds; every limit is checked here."""

    def __init__(self, limits: Limits) -> None:
        self.files: list[bytearray] = []
        self.complete = False
        self._limits = limits
        self._header_name, self._header_value, self._disposition = bytearray(), bytearray(), b""

    def callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header_name.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._header_value.extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._start_file,
            "on_part_data": self._add,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._disposition = b""

    def _end_header(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = bytes(self._header_value)
        self._header_name.clear()
        self._header_value.clear()

    def _start_file(self) -> None:
        _, options = parse_options_header(self._disposition)
        if options.get(b"name") != FIELD.encode():
            raise ServiceError(422, "unknown-field", f"the form has another field than {FIELD}; send nothing else")
        if len(self.files) == self._limits.files:
            raise ServiceError(
                422, "too-many-files", f"more than {self._limits.files} files in one request; send several requests"
            )
        self.files.append(bytearray())

    def _add(self, data: bytes, start: int, end: int) -> None:
        file = self.files[-1]
        if len(file) + end - start > self._limits.file_bytes:
            raise _too_large("file", self._limits.file_bytes)
        file += memoryview(data)[start:end]

    def _end(self) -> None:
        self.complete = True


def _too_large(what: str, largest: int) -> ServiceError:
    return ServiceError(413, f"{what}-too-large", f"the {what} is larger than {largest / MEGABYTE:.3g} MB")


def _malformed() -> ServiceError:
    return ServiceError(400, "malformed-form", "the form is malformed or ends too early; send it again")


__all__ = ["FIELD", "ClientDisconnect", "read_body", "read_images"]
