"""Errors that clients see: `{"error": {"code": …, "message": …}}` with the status that fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from dermoscope.service.schemas import Error

_CLIENT_LEFT = 499  # as nginx writes it into its log; nobody is there to read it
_MEANINGS: Mapping[int, str] = {
    400: "The request cannot be read.",
    401: "The token is missing or wrong.",
    403: "The request comes from the page of another site.",
    404: "There is nothing of that name, or no longer.",
    408: "The body came too slowly.",
    409: "That cannot be done to this image or case.",
    413: "The body, or a file in it, is too large.",
    415: "The body is not of a kind that is taken here.",
    421: "The service does not answer to that Host.",
    422: "The request can be read, but what it asks for is not possible.",
    429: "Too many requests are waiting; Retry-After says when to try again.",
    500: "The service failed; its log says why.",
    503: "The service is stopping, or this part of it is turned off.",
    504: "There was no answer in time.",
}
_ERROR_CONTENT = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
_EVERYWHERE = (400, 401, 403, 408, 413, 421, 422, 503)


class ServiceError(HTTPException):
    """An answer that is a refusal.

    Args:
        status: HTTP status.
        code: Kebab-case name that scripts may rely on.
        message: Plain words for a person, with the way out.
        headers: Further headers of the answer.
    """

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, message, dict(headers or {}))
        self.code = code

    def response(self) -> JSONResponse:
        """The refusal as it is sent."""
        body = {"error": {"code": self.code, "message": self.detail}}
        return JSONResponse(body, status_code=self.status_code, headers=self.headers)


class ClientGoneError(Exception):
    """The client left before its answer was there."""


def internal_error() -> ServiceError:
    """What a client sees of a fault of ours: nothing but that there was one."""
    return ServiceError(500, "internal", "the service failed on this request; its log says why")


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What `/openapi.json` says of the errors of a route.

    Args:
        statuses: Those beside the ones that any request can meet.
    """
    found: dict[int | str, dict[str, Any]] = {
        status: {"description": _MEANINGS[status], "content": _ERROR_CONTENT}
        for status in sorted({*_EVERYWHERE, *statuses})
    }
    # One model puts the form into the document; FastAPI takes a millisecond for each.
    found[503] = {"description": _MEANINGS[503], "model": Error}
    return found


def add_error_handlers(app: FastAPI) -> None:
    """Give every error of an app the one form."""

    async def refused(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ServiceError)
        return error.response()

    async def invalid(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"][1:]) or str(first["loc"][0])
        return ServiceError(422, "invalid-request", f"{where}: {first['msg']}").response()

    async def plain(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        code, message = {
            404: ("not-found", "there is nothing at this address; see /openapi.json"),
            405: ("method-not-allowed", "this address does not take that method; see /openapi.json"),
        }.get(error.status_code, ("refused", str(error.detail)))
        return ServiceError(error.status_code, code, message, error.headers).response()

    async def gone(_request: Request, _error: Exception) -> Response:
        return Response(status_code=_CLIENT_LEFT)

    app.add_exception_handler(ServiceError, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, plain)
    app.add_exception_handler(ClientGoneError, gone)
    app.add_exception_handler(ClientDisconnect, gone)
