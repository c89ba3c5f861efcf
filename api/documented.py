"""The answers of every route, for the documentation."""

from __future__ import annotations

import json
from functools import cache
from http import HTTPStatus
from importlib import resources
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
    kinds = [kind for kind in KINDS.values() if kind.status == status]
    titles = [kind.title for kind in kinds]
    examples = {
        kind.anchor: {
            "value": {
                "type": f"/docs#{kind.anchor}",
                "title": kind.title,
                "status": int(status),
                "detail": kind.remedy,
            }
        }
        for kind in kinds
    }
    return {
        "description": "; ".join(titles) or status.phrase,
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": f"#/components/schemas/{Problem.__name__}"},
                "examples": examples,
            }
        },
        **({"headers": _HEADERS[status]} if status in _HEADERS else {}),
    }


@cache
def answers() -> dict[str, Any]:
    """An example of what each call answers, by its operation."""
    text = resources.files("api").joinpath("examples.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def show_answers(schema: dict[str, Any]) -> None:
    """Put an example beside each answer of an OpenAPI description that has one."""
    for methods in schema["paths"].values():
        for operation in methods.values():
            shown = answers().get(operation["operationId"])
            for status in ("200", "201"):
                for content in operation["responses"].get(status, {}).get("content", {}).values():
                    if shown is not None:
                        content["example"] = shown
