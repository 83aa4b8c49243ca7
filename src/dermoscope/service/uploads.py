"""Uploaded files, held in memory alone.

FastAPI's own way would keep what exceeds a megabyte in a temporary file, and read a form to its end before anybody can
object. Here a form that is too large is refused as soon as it is. Names of files are never looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from dermoscope.measures import spacing_of
from dermoscope.service.errors import ServiceError
from dermoscope.service.intake import too_large
from dermoscope.service.settings import Limits

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FIELD = "image"
"""Name of the field that files come in."""

SCALE_FIELD = "mm_per_pixel"
"""Name of the field for the size of a pixel, of all files that do not say it themselves."""

_LONGEST_NUMBER = 32


@dataclass(frozen=True)
class Uploaded:
    """What a form holds.

    Attributes:
        files: In order.
        spacing_mm: Distance between rows, then between columns, in millimetres, if the form has one.
    """

    files: tuple[bytes, ...]
    spacing_mm: tuple[float, float] | None


async def read_images(request: Request, limits: Limits) -> Uploaded:
    """The files of a form, and their scale.

    Args:
        request: With a body `multipart/form-data`.
        limits: What is refused.

    Raises:
        ServiceError: 415 for another kind of body, 413 for too large a file, 422 for too many files, none, another
            field, or a scale that is none, 400 for a form that is malformed or ends too early.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data" or b"boundary" not in options:
        raise ServiceError(
            415, "not-a-form", f"send the images as multipart/form-data, in the field {FIELD}, once or several times"
        )
    form = _Form(limits)
    try:
        parser = MultipartParser(options[b"boundary"], form.callbacks())
        async for chunk in request.stream():
            parser.write(chunk)
        parser.finalize()
    except FormParserError:
        raise _malformed() from None
    if not form.complete:
        raise _malformed()
    if not form.files:
        raise ServiceError(422, "no-image", f"the form has no file; send one or more in the field {FIELD}")
    return Uploaded(tuple(bytes(file) for file in form.files), _spacing(form.scale))


async def read_file(request: Request, limits: Limits) -> bytes:
    """A body that is one file.

    Args:
        request: Whose body it is.
        limits: What is refused.

    Raises:
        ServiceError: 413 if it is too large.
    """
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > limits.file_bytes:
            raise too_large("file", limits.file_bytes)
    return bytes(data)


class _Form:
    """Takes what the parser finds."""

    def __init__(self, limits: Limits) -> None:
        self.files: list[bytearray] = []
        self.scale: bytearray | None = None
        self.complete = False
        self._limits = limits
        self._field = bytearray()
        self._name, self._value, self._disposition = bytearray(), bytearray(), b""

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._name.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._start_field,
            "on_part_data": self._add,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._disposition = b""

    def _end_header(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def _start_field(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name")
        self._field = bytearray()
        if name == FIELD.encode():
            self._start_file()
        elif name != SCALE_FIELD.encode():
            raise ServiceError(
                422, "unknown-field", f"the form has a field that is neither {FIELD} nor {SCALE_FIELD}; send no other"
            )
        elif self.scale is not None:
            raise _bad_scale(f"the field {SCALE_FIELD} came twice; one number holds for all images")
        else:
            self.scale = self._field

    def _start_file(self) -> None:
        if len(self.files) == self._limits.files:
            raise ServiceError(
                422, "too-many-files", f"more than {self._limits.files} files in one request; send several requests"
            )
        self.files.append(self._field)

    def _add(self, data: bytes, start: int, end: int) -> None:
        size = len(self._field) + end - start
        if self._field is self.scale and size > _LONGEST_NUMBER:
            raise _bad_scale(f"the field {SCALE_FIELD} is no number")
        if size > self._limits.file_bytes:
            raise too_large("file", self._limits.file_bytes)
        self._field += memoryview(data)[start:end]

    def _end(self) -> None:
        self.complete = True


def _spacing(scale: bytearray | None) -> tuple[float, float] | None:
    if scale is None:
        return None
    try:
        number = float(scale)
    except ValueError:
        raise _bad_scale(f"the field {SCALE_FIELD} is no number") from None
    try:
        return spacing_of(number)
    except ValueError as error:
        raise _bad_scale(str(error)) from None


def _bad_scale(reason: str) -> ServiceError:
    return ServiceError(422, "bad-scale", reason)


def _malformed() -> ServiceError:
    return ServiceError(400, "malformed-form", "the form is malformed or ends too early; send it again")
