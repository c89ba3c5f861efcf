"""Questions about the record: accounts, projections, subjects, explanations, the log itself."""

from __future__ import annotations

import base64
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Response

from api.calendar import MEDIA_TYPE, calendar_of
from api.documented import problems
from api.facts import clear_facts
from api.parameters import (
    LARGEST_PAGE,
    Account,
    After,
    AsOf,
    KnownAt,
    Limit,
    OnlyKnown,
    ReadingChoices,
    Subject,
    instant_of,
    readings_of,
)
from api.schemas import AccountsAnswer, Answer, Explanation, LogPage, SubjectAnswer
from api.services import Auditor, Reader, ServicesOf, check_account, check_subject
from ledger.errors import NotRecordedError
from ledger.facts.catalogue import COMMON, account_of
from ledger.instants import parse_instant
from ledger.log.merkle import leaf_hash
from projections import PROJECTIONS
from projections.deadlines import DEADLINES
from projections.everywhere import everywhere

router = APIRouter(dependencies=[OnlyKnown])
_LARGEST_POSITION = 2**62


def _json(answer: object) -> Response:
    return Response(orjson.dumps(answer), media_type="application/json")


@router.get(
    "/v1/accounts",
    tags=["answers"],
    operation_id="list_accounts",
    response_class=Response,
    responses={200: {"model": AccountsAnswer}, **problems(401, 403, 422)},
)
def list_accounts(shared: ServicesOf, calling: Reader) -> Response:
    """The accounts that the caller may read, by name."""
    accounts = [name for name in shared.runtime.record.accounts() if calling.may_read_account(name)]
    return _json({"accounts": accounts})


@router.get(
    "/v1/deadlines",
    tags=["answers"],
    operation_id="ask_deadlines",
    response_class=Response,
    responses={200: {"model": Answer}, **problems(401, 403, 422)},
)
def ask_deadlines(
    shared: ServicesOf,
    calling: Reader,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    reading: ReadingChoices = [],  # noqa: B006 - FastAPI copies defaults
) -> Response:
    """The deadlines of every account that the caller may read, in one list sorted by ``at``."""
    answer = everywhere(
        shared.runtime.answers,
        DEADLINES.name,
        as_of=instant_of(as_of),
        known_at=instant_of(known_at),
        readings=readings_of(reading),
        only=calling.may_read_account,
    )
    return _json(answer)


@router.get(
    "/v1/accounts/{account}/deadlines.ics",
    tags=["answers"],
    operation_id="read_calendar",
    response_class=Response,
    responses={
        200: {"content": {"text/calendar": {"schema": {"type": "string"}}}, "description": "The calendar"},
        **problems(401, 403, 404, 422),
    },
)
def read_calendar(shared: ServicesOf, calling: Reader, account: Account, as_of: AsOf = None) -> Response:
    """The deadlines of an account as a calendar to subscribe to (iCalendar, RFC 5545)."""
    check_account(calling, account)
    answer = shared.runtime.answers.ask(DEADLINES.name, account, as_of=instant_of(as_of))
    written_at = parse_instant(answer["as_of"])
    content = calendar_of(account, answer["origin"], written_at, answer["result"])
    return Response(content, media_type=MEDIA_TYPE)


@router.get(
    "/v1/accounts/{account}/readings",
    tags=["answers"],
    operation_id="weigh_readings",
    response_class=Response,
    responses={200: {"model": Answer}, **problems(401, 403, 404, 422)},
)
def weigh_readings(
    shared: ServicesOf, calling: Reader, account: Account, as_of: AsOf = None, known_at: KnownAt = None
) -> Response:
    """Which conclusions, and how many euros, would move under each other reading of the contract."""
    check_account(calling, account)
    answer = shared.runtime.answers.alternatives(
        account, as_of=instant_of(as_of), known_at=instant_of(known_at)
    )
    return _json(answer)


@router.get(
    "/v1/accounts/{account}/{projection}",
    tags=["answers"],
    operation_id="ask",
    response_class=Response,
    responses={200: {"model": Answer}, **problems(401, 403, 404, 422)},
)
def ask(
    shared: ServicesOf,
    calling: Reader,
    account: Account,
    projection: Annotated[str, Path(examples=["acceptance"])],
    as_of: AsOf = None,
    known_at: KnownAt = None,
    reading: ReadingChoices = [],  # noqa: B006 - FastAPI copies defaults
    limit: Limit = None,
    after: After = None,
) -> Response:
    """What the contract makes of an account's facts, as of an instant, with reasons.

    An answer shows everything that was acknowledged before the call.
    """
    check_account(calling, account)
    if projection not in PROJECTIONS:
        raise NotRecordedError(f"there is no projection {projection!r}; there are: {', '.join(PROJECTIONS)}")
    with shared.metrics.timed(shared.metrics.answering.labels(_label(projection))):
        answer = shared.runtime.answers.ask(
            projection,
            account,
            as_of=instant_of(as_of),
            known_at=instant_of(known_at),
            readings=readings_of(reading),
            limit=limit,
            after=after,
        )
    return _json(answer)


def _label(projection: str) -> str:
    """The projection's name, or one word for all that do not exist: labels must stay few."""
    return projection if projection in PROJECTIONS else "unknown"


@router.get(
    "/v1/subjects/{subject:path}/explanation",
    tags=["subjects"],
    operation_id="explain",
    response_class=Response,
    responses={200: {"model": Explanation}, **problems(401, 403, 404, 422)},
)
def explain(
    shared: ServicesOf,
    calling: Reader,
    subject: Subject,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    reading: ReadingChoices = [],  # noqa: B006 - FastAPI copies defaults
) -> Response:
    """Every conclusion that rests on a subject, with rule, article, reading and facts."""
    check_subject(calling, subject)
    answer = shared.runtime.answers.explain(
        subject, as_of=instant_of(as_of), known_at=instant_of(known_at), readings=readings_of(reading)
    )
    return _json(answer)


@router.get(
    "/v1/subjects/{subject:path}",
    tags=["subjects"],
    operation_id="read_subject",
    response_class=Response,
    responses={200: {"model": SubjectAnswer}, **problems(401, 403, 404, 422)},
)
def read_subject(shared: ServicesOf, calling: Reader, subject: Subject) -> Response:
    """Every fact of one subject, oldest first."""
    check_subject(calling, subject)
    account = account_of(subject)
    facts = clear_facts(shared.runtime.record, subject)
    return _json({"subject": subject, "account": None if account == COMMON else account, "facts": facts})


@router.get(
    "/v1/facts",
    tags=["facts"],
    operation_id="read_log",
    response_class=Response,
    responses={200: {"model": LogPage}, **problems(401, 403, 422)},
)
def read_log(
    shared: ServicesOf,
    _calling: Auditor,
    after: Annotated[
        int,
        Query(
            ge=-1,
            le=_LARGEST_POSITION,
            description="the last position already read",
            openapi_examples={"from the first": {"value": -1}, "from the hundredth": {"value": 98}},
        ),
    ] = -1,
    limit: Annotated[
        int,
        Query(
            ge=1,
            le=LARGEST_PAGE,
            description="leaves at most",
            openapi_examples={"a short page": {"value": 50}},
        ),
    ] = 100,
) -> Response:
    """The log itself, leaf by leaf, stamps included; for auditors."""
    record = shared.runtime.record
    size = record.size()
    leaves = [_leaf(*row) for row in record.scan(after + 1, limit)]
    last = leaves[-1]["position"] if leaves else after
    return _json({"size": size, "leaves": leaves, "next": last if last + 1 < size else None})


def _leaf(position: int, subject: str, version: int, type_: str, leaf: bytes) -> dict[str, Any]:
    return {
        "position": position,
        "subject": subject,
        "version": version,
        "type": type_,
        "leaf": leaf.decode("utf-8"),
        "leaf_base64": base64.b64encode(leaf).decode(),
        "leaf_hash": leaf_hash(leaf).hex(),
    }
