"""Everything that the API refuses, as RFC 9457 problems.

Each kind of refusal has one entry in ``KINDS``; the reference page lists them, and a problem's ``type``
leads there. A problem never shows internals: what went wrong inside is in the log of the process.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from ledger.errors import (
    ClauseError,
    ClockUnavailableError,
    ConflictingFactError,
    Flaw,
    FlawedFactsError,
    GreffeError,
    NotRecordedError,
    StoreUnavailableError,
    WrongCallError,
    WrongLedgerError,
)

MEDIA_TYPE = "application/problem+json"
_LOG = logging.getLogger("greffe.api")
_NOT_JSON = frozenset({"json.syntax", "json.utf8", "json.depth"})


class FlawShape(BaseModel):
    """One thing wrong: the fact (its id or ``#place``, ``request`` for the call itself), field and rule."""

    model_config = ConfigDict(extra="forbid", title="Flaw")
    fact: str = Field(examples=["m-2021-06-01-0001"])
    field: str = Field(description="JSON pointer (RFC 6901)", examples=["/data/entries/0/quantity"])
    rule: str = Field(examples=["shape.decimal"])
    message: str


class Problem(BaseModel):
    """A problem (RFC 9457); ``flaws`` lists everything found wrong, so that all can be mended at once."""

    model_config = ConfigDict(extra="forbid")
    type: str = Field(examples=["/docs#flawed-facts"])
    title: str
    status: int
    detail: str
    flaws: list[FlawShape] = []


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: the anchor of its type, its status, its title, and what to do about it."""

    anchor: str
    status: HTTPStatus
    title: str
    remedy: str


KINDS = {
    kind.anchor: kind
    for kind in (
        Kind("not-json", HTTPStatus.BAD_REQUEST, "The body is not JSON", "Send UTF-8 JSON."),
        Kind("no-key", HTTPStatus.UNAUTHORIZED, "No valid key", "Send Authorization: Bearer KEY."),
        Kind("forbidden", HTTPStatus.FORBIDDEN, "Not with this key", "Use a key that has the role."),
        Kind(
            "read-only",
            HTTPStatus.FORBIDDEN,
            "This ledger is served read-only",
            "A simulated ledger takes facts from greffe simulate only.",
        ),
        Kind("not-recorded", HTTPStatus.NOT_FOUND, "Not in the record", "Check the name."),
        Kind(
            "conflicting-facts",
            HTTPStatus.CONFLICT,
            "A fact contradicts the record",
            "Nothing was recorded; mend what flaws names and send the request again.",
        ),
        Kind("too-large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large", "Split the batch."),
        Kind(
            "media-type",
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "This media type is not taken",
            "Send application/cloudevents+json, application/cloudevents-batch+json or application/json.",
        ),
        Kind(
            "flawed-facts",
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "A fact breaks a rule of shape",
            "Nothing was recorded; mend what flaws names and send the request again.",
        ),
        Kind("wrong-call", HTTPStatus.UNPROCESSABLE_ENTITY, "The call is wrong", "Mend the parameter."),
        Kind(
            "undecided",
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "The contract gives no answer",
            "No clause applies, or two conflict: the detail says which.",
        ),
        Kind(
            "clock-unavailable",
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The mail server gives no stamp",
            "Nothing was recorded; send the same request again after Retry-After seconds.",
        ),
        Kind(
            "store-unavailable",
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The database does not answer",
            "Send the same request again after Retry-After seconds: what was recorded finds its receipt.",
        ),
        Kind("closing", HTTPStatus.SERVICE_UNAVAILABLE, "The ledger is closing", "Send the request again."),
        Kind("internal", HTTPStatus.INTERNAL_SERVER_ERROR, "The ledger failed", "See the process's log."),
    )
}


class RefusedError(Exception):
    """A refusal that the edge itself makes: a kind of ``KINDS``, and one sentence."""

    def __init__(self, anchor: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        self.kind = KINDS[anchor]
        self.detail = detail
        self.headers = dict(headers or {})
        super().__init__(detail)


def problem(
    kind: Kind, detail: str, *, flaws: Sequence[Flaw] = (), headers: Mapping[str, str] | None = None
) -> Response:
    """The answer that states a problem."""
    body = _body(f"/docs#{kind.anchor}", kind.title, kind.status, detail)
    if flaws:
        body["flaws"] = [
            {"fact": flaw.fact, "field": flaw.field, "rule": flaw.rule, "message": flaw.message}
            for flaw in flaws
        ]
    return _response(body, headers)


def _body(type_: str, title: str, status: int, detail: str) -> dict[str, Any]:
    return {"type": type_, "title": title, "status": int(status), "detail": detail}


def _response(body: dict[str, Any], headers: Mapping[str, str] | None) -> Response:
    return Response(_encoded(body), body["status"], dict(headers or {}), MEDIA_TYPE)


def _encoded(body: dict[str, Any]) -> bytes:
    """JSON in UTF-8; what a caller sent as half a character is shown escaped, not refused twice."""
    try:
        return orjson.dumps(body)
    except TypeError:
        return orjson.dumps(_speakable(body))


def _speakable(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {key: _speakable(item) for key, item in value.items()}
    return [_speakable(item) for item in value] if isinstance(value, list) else value


def of_error(error: GreffeError) -> Response:  # noqa: PLR0911 - one for each refusal
    """The problem that a refusal of the ledger becomes."""
    match error:
        case ConflictingFactError():
            return problem(KINDS["conflicting-facts"], _count(error), flaws=error.flaws)
        case FlawedFactsError():
            not_json = all(flaw.rule in _NOT_JSON for flaw in error.flaws)
            kind = KINDS["not-json" if not_json else "flawed-facts"]
            return problem(kind, _count(error), flaws=error.flaws)
        case ClockUnavailableError():
            headers = {"Retry-After": str(error.retry_after_seconds)}
            return problem(KINDS["clock-unavailable"], str(error), headers=headers)
        case StoreUnavailableError():
            headers = {"Retry-After": str(error.retry_after_seconds)}
            return problem(KINDS["store-unavailable"], str(error), headers=headers)
        case NotRecordedError():
            return problem(KINDS["not-recorded"], str(error))
        case WrongCallError():
            return problem(KINDS["wrong-call"], str(error))
        case ClauseError():
            return problem(KINDS["undecided"], str(error))
        case WrongLedgerError():
            return problem(KINDS["closing"], str(error), headers={"Retry-After": "5"})
    _LOG.error("unforeseen refusal", exc_info=error)
    return problem(KINDS["internal"], "The ledger failed; its log says how.")


def _count(error: FlawedFactsError) -> str:
    first = error.flaws[0].message
    more = len(error.flaws) - 1
    return first if not more else f"{first} (and {more} more: see flaws)"


def install(app: FastAPI) -> None:
    """Make every refusal of the application a problem."""
    app.add_exception_handler(GreffeError, _of_greffe)
    app.add_exception_handler(RefusedError, _of_edge)
    app.add_exception_handler(RequestValidationError, _of_parameters)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(Exception, _of_failure)


async def _of_greffe(_request: Request, error: Exception) -> Response:
    assert isinstance(error, GreffeError)  # noqa: S101 - how the handler was entered
    return of_error(error)


async def _of_edge(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)  # noqa: S101 - how the handler was entered
    return problem(error.kind, error.detail, headers=error.headers)


async def _of_parameters(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - how the handler was entered
    flaws = [
        Flaw("request", "/" + "/".join(str(step) for step in found["loc"]), "parameter", str(found["msg"]))
        for found in error.errors()
    ]
    return problem(KINDS["wrong-call"], f"{flaws[0].field}: {flaws[0].message}", flaws=flaws)


async def of_http(_request: Request, error: Exception) -> Response:
    """What the framework refuses by itself, such as a path that leads nowhere."""
    assert isinstance(error, HTTPException)  # noqa: S101 - how the handler was entered
    status = HTTPStatus(error.status_code)
    detail = status.description or str(error.detail)
    return _response(_body("about:blank", status.phrase, status, detail), error.headers)


async def _of_failure(_request: Request, error: Exception) -> Response:
    _LOG.error("a request failed", exc_info=error)
    return problem(KINDS["internal"], "The ledger failed; its log says how.")
