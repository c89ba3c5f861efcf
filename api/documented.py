"""The answers of every route, for the documentation."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from api.problems import KINDS, MEDIA_TYPE, Problem

_HEADERS = {
    HTTPStatus.UNAUTHORIZED: {
        "WWW-Authenticate": {"description": "Bearer (RFC 6750)", "schema": {"type": "string"}}
    },
    HTTPStatus.SERVICE_UNAVAILABLE: {
        "Retry-After": {"description": "seconds to wait", "schema": {"type": "string", "pattern": "^[0-9]+$"}}
    },
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer, 500 always among them."""
    return {int(status): _problem(HTTPStatus(status)) for status in (*statuses, 500)}


def _problem(status: HTTPStatus) -> dict[str, Any]:
    titles = [kind.title for kind in KINDS.values() if kind.status == status]
    return {
        "description": "; ".join(titles) or status.phrase,
        "content": {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}},
        **({"headers": _HEADERS[status]} if status in _HEADERS else {}),
    }
