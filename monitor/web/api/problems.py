"""Errors as RFC 9457 has them: `application/problem+json`, whatever went wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from monitor.access import AccountError, ForbiddenError, LastAdminError, TakenError, UnknownError
from monitor.access.login import LoginError, TooManyTriesError
from monitor.access.passwords import BusyError as PasswordsBusyError
from monitor.actions import BusyError, ConflictError, FaultyError, NotFoundError, RefusedError
from monitor.errors import StoreError

MEDIA_TYPE = "application/problem+json"
_RETRY_S = "5"


class FieldProblem(BaseModel):
    """What is wrong with one part of a request."""

    place: str = Field(description="`query.limit`, `body.note`, `path.alert_id`, …", examples=["query.limit"])
    what: str = Field(examples=["Input should be less than or equal to 200"])


class Problem(BaseModel):
    """RFC 9457."""

    type: str = Field(default="about:blank", description="`about:blank`: `title` says it all.")
    title: str = Field(description="The name of the status.", examples=["Not Found"])
    status: int = Field(ge=400, le=599, examples=[404])
    detail: str | None = Field(default=None, description="For people.")
    errors: list[FieldProblem] = Field(default=[], description="With 422: every part that is wrong.")


_WHEN = {
    400: "The body is no text.",
    401: "Nobody has logged in, and there is no valid token.",
    403: "Whoever asks may not.",
    404: "It is not there, or whoever asks may not see it.",
    409: "It cannot be done as things stand.",
    413: "The body is too large.",
    422: "Something in the request cannot be meant.",
    429: "Too many tries; wait `Retry-After` seconds.",
    503: "The store does not answer, or too many ask at once; try again after `Retry-After` seconds.",
}


def declared(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Error responses of a route for its documentation; 401, 403, 422 and 503 are every route's."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": _WHEN[status], "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in sorted({401, 403, 422, 503, *statuses})
    }


def problem(
    status: int,
    detail: str | None,
    *,
    errors: list[FieldProblem] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer that says so."""
    said = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=errors or [])
    # Escaped: what is quoted of a request need not be text that can be encoded.
    body = json.dumps(said.model_dump(exclude_none=True, exclude={"errors"} if not errors else None))
    return Response(
        body, status_code=status, media_type=MEDIA_TYPE, headers={"Cache-Control": "no-store", **(headers or {})}
    )


def handle_strays(app: FastAPI, prefix: str) -> None:
    """Has errors below an address answered so by the application around the API: some do not get as far as to it."""

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        if request.url.path.startswith(prefix):
            return problem(error.status_code, str(error.detail), headers=error.headers)
        return await http_exception_handler(request, error)


def handle_problems(app: FastAPI) -> None:
    """Has every error of the application answered so."""
    app.add_exception_handler(FaultyError, _faulty)
    app.add_exception_handler(AccountError, _account)
    app.add_exception_handler(LoginError, _not_proven)
    app.add_exception_handler(TooManyTriesError, _too_many)
    app.add_exception_handler(PasswordsBusyError, _too_busy)

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> Response:
        return problem(error.status_code, str(error.detail), headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> Response:
        errors = [
            FieldProblem.model_construct(place=".".join(map(str, each["loc"])), what=str(each["msg"]))
            for each in error.errors()
        ]
        return problem(422, f"{errors[0].place}: {errors[0].what}" if errors else None, errors=errors)

    @app.exception_handler(RefusedError)
    async def _refused(_: Request, error: RefusedError) -> Response:
        return problem(422, f"{error.field}: {error}", errors=[FieldProblem(place=error.field, what=str(error))])

    @app.exception_handler(ForbiddenError)
    async def _forbidden(_: Request, error: ForbiddenError) -> Response:
        return problem(403, str(error))

    @app.exception_handler(NotFoundError)
    async def _not_found(_: Request, error: NotFoundError) -> Response:
        return problem(404, str(error))

    @app.exception_handler(ConflictError)
    async def _conflict(_: Request, error: ConflictError) -> Response:
        return problem(409, str(error))

    @app.exception_handler(BusyError)
    async def _busy(_: Request, error: BusyError) -> Response:
        return problem(503, str(error), headers={"Retry-After": _RETRY_S})

    @app.exception_handler(StoreError)
    async def _no_store(_: Request, error: StoreError) -> Response:
        return problem(503, str(error), headers={"Retry-After": _RETRY_S})

    @app.exception_handler(Exception)
    async def _failed(_: Request, _error: Exception) -> Response:
        # The server logs it with its traceback; nobody outside is to read that.
        return problem(500, "an error of the service; its log says more")


async def _faulty(_: Request, error: Exception) -> Response:
    assert isinstance(error, FaultyError)
    errors = [FieldProblem(place=f"body.{place}", what=what) for place, what in error.faults]
    return problem(422, f"{errors[0].place}: {errors[0].what}", errors=errors)


async def _account(_: Request, error: Exception) -> Response:
    if isinstance(error, UnknownError):
        return problem(404, str(error))
    if isinstance(error, TakenError | LastAdminError):
        return problem(409, str(error))
    return problem(422, str(error), errors=[FieldProblem(place="body", what=str(error))])


async def _not_proven(_: Request, _error: Exception) -> Response:
    return problem(403, "that is not your current password")


async def _too_many(_: Request, error: Exception) -> Response:
    assert isinstance(error, TooManyTriesError)
    return problem(429, str(error), headers={"Retry-After": str(error.wait_s)})


async def _too_busy(_: Request, error: Exception) -> Response:
    return problem(503, str(error), headers={"Retry-After": _RETRY_S})
