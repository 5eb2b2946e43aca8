"""The one place where errors become HTTP: ``{code, message, hint}``."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from wire.errors import FleetError

log = logging.getLogger(__name__)


class ErrorBody(BaseModel):
    """Body of every answer that is an error."""

    code: str
    message: str
    hint: str = ""


def install(app: FastAPI) -> None:
    """Let ``app`` answer every kind of error with an :class:`ErrorBody`."""
    app.add_exception_handler(FleetError, _fleet_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


async def _fleet_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, FleetError)  # noqa: S101 - registered for this family only
    if error.http_status >= 500:
        log.error("%s: %s", error.code, error.message)
    headers = {"WWW-Authenticate": "Bearer"} if error.http_status == 401 else None
    return _answer(
        error.http_status, ErrorBody(code=error.code, message=error.message, hint=error.hint), headers
    )


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this family only
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"])
    body = ErrorBody(code="invalid_request", message=f"{where}: {problem['msg']}", hint="see /openapi.json")
    return _answer(422, body)


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this family only
    body = ErrorBody(code="http", message=str(error.detail), hint="see /openapi.json")
    return _answer(error.status_code, body)


def _answer(status: int, body: ErrorBody, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(body.model_dump(), status_code=status, headers=headers)
