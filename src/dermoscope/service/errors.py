"""Errors that clients see: `{"error": {"code": …, "message": …}}` with the status that fits."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException


class ServiceError(Exception):
    """An answer that is a refusal.

    Args:
        status: HTTP status.
        code: Kebab-case name that scripts may rely on.
        message: Plain words for a person, with the way out.
        headers: Further headers of the answer.
    """

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, dict(headers or {})

    def response(self) -> JSONResponse:
        """The refusal as it is sent."""
        body = {"error": {"code": self.code, "message": self.message}}
        return JSONResponse(body, status_code=self.status, headers=self.headers)


def internal_error() -> ServiceError:
    """What a client sees of a fault of ours: nothing but that there was one."""
    return ServiceError(500, "internal", "the service failed on this request; its log says why")


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
        if error.status_code == 404:
            return ServiceError(404, "not-found", "there is nothing at this address; see /openapi.json").response()
        if error.status_code == 405:
            message = "this address does not take that method; see /openapi.json"
            return ServiceError(405, "method-not-allowed", message, error.headers).response()
        return ServiceError(error.status_code, "refused", str(error.detail), error.headers).response()

    app.add_exception_handler(ServiceError, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, plain)
