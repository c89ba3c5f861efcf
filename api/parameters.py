"""The parameters of the calls: what each may be, said in words when it is something else."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from api.schemas import ACCOUNT_PATTERN, LONGEST_SUBJECT, SUBJECT_PATTERN
from ledger.contract.finding import Readings
from ledger.contract.readings import check
from ledger.errors import WrongCallError
from ledger.instants import RFC3339_PATTERN, parse_instant

LARGEST_PAGE = 1000
_SEGMENT_WORDS = "1 to 128 of A-Z a-z 0-9 . _ ~ -"


def _is_instant(text: str) -> str:
    try:
        parse_instant(text)
    except WrongCallError as error:
        raise PydanticCustomError("instant", "{said}", {"said": str(error)}) from error
    return text


def _of_form(pattern: str, words: str) -> Callable[[str], str]:
    """Holds a text against a pattern, and says in words what it should have been."""

    def check_form(text: str) -> str:
        if re.search(pattern, text) is None:
            raise PydanticCustomError("form", "{said}", {"said": f"{text!r} is not {words}"})
        return text

    return check_form


_Instant = Annotated[
    str, AfterValidator(_is_instant), WithJsonSchema({"type": "string", "pattern": RFC3339_PATTERN})
]
_Account = Annotated[
    str,
    AfterValidator(_of_form(ACCOUNT_PATTERN, f"the name of an account: {_SEGMENT_WORDS}")),
    WithJsonSchema({"type": "string", "pattern": ACCOUNT_PATTERN, "examples": ["ACC-1"]}),
]
_Subject = Annotated[
    str,
    AfterValidator(
        _of_form(SUBJECT_PATTERN, f"a subject: at most 4 parts between slashes, each {_SEGMENT_WORDS}")
    ),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": SUBJECT_PATTERN,
            "maxLength": LONGEST_SUBJECT,
            "examples": ["ACC-1/invoice/F-2021-06"],
        }
    ),
]

Account = Annotated[_Account, Path()]
Subject = Annotated[_Subject, Path()]
AsOf = Annotated[
    _Instant | None,
    Query(
        description="Facts with a later legal time are left out; without it, now.",
        openapi_examples={"then": {"value": "2021-08-01T00:00:00Z"}},
    ),
]
KnownAt = Annotated[
    _Instant | None,
    Query(
        description="Only what was recorded before the first commit stamped after it.",
        openapi_examples={"then": {"value": "2031-08-01T02:00:00+02:00"}},
    ),
]
ReadingChoices = Annotated[
    list[str],
    Query(
        alias="reading",
        description="A reading other than the primary one, such as R2=2.",
        openapi_examples={"the second of R2": {"value": ["R2=2"]}},
    ),
]
Limit = Annotated[
    int | None,
    Query(
        ge=1, le=LARGEST_PAGE, description="rows at most", openapi_examples={"a short page": {"value": 50}}
    ),
]
After = Annotated[
    str | None,
    Query(
        max_length=1024,
        description="only rows after this one: `next` of the page before",
        openapi_examples={"after an invoice": {"value": "ACC-1/invoice/F-2021-06"}},
    ),
]


def instant_of(given: str | None) -> datetime | None:
    """An instant of the query, in UTC."""
    return None if given is None else parse_instant(given)


def readings_of(choices: list[str]) -> Readings:
    """The readings chosen in the query, each of the register."""
    readings = Readings.parse(choices)
    check(readings)
    return readings


async def only_known(request: Request) -> None:
    """Refuse a parameter of the query that the call does not have: a mistyped one must not be passed over."""
    known = [field.alias for field in request.scope["route"].dependant.query_params]
    offered = f"it has {', '.join(known)}" if known else "it has none"
    unknown = dict.fromkeys(name for name in request.query_params if name not in known)
    if unknown:
        raise RequestValidationError(
            [
                {"loc": ("query", name), "msg": f"this call has no such parameter; {offered}"}
                for name in unknown
            ]
        )


OnlyKnown = Depends(only_known)
