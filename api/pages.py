"""The pages: what the API answers, for people. Read-only, rendered here, without scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Annotated, Any

from fastapi import APIRouter, Cookie, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup

from api import words
from api.access import SESSION_HOURS, Caller
from api.facts import clear_facts
from api.problems import KINDS, of_http
from api.services import SESSION_COOKIE, Services, ServicesOf, services
from ledger import instants
from ledger.contract.finding import Readings
from ledger.contract.readings import check
from ledger.errors import ClauseError, GreffeError, NotRecordedError, WrongCallError
from ledger.facts.catalogue import COMMON, TYPES, account_of
from projections import PROJECTIONS
from projections.explanation import quotations

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
ACCOUNTS_ON_A_PAGE = 25
ROWS_ON_A_PAGE = 200
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z\Z")
_LINES_BEFORE_FOLDING = 6


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("api"),
        autoescape=select_autoescape(default=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["when"] = when
    environment.globals.update(
        word=words.word,
        kind_of=kind_of,
        quotations=quotations,
        numbered=numbered,
        columns=words.columns,
        words_of=words.TABS.__getitem__,
        REMARKS=words.REMARKS,
        label=words.label,
        LINES=_LINES_BEFORE_FOLDING,
    )
    return environment


def when(instant: str | None) -> Markup:
    """An instant in Paris time, with UTC when the pointer rests on it."""
    if not instant:
        return Markup("—")
    moment = instants.parse_instant(instant)
    paris = moment.astimezone(instants.PARIS)
    shown = paris.strftime("%d/%m/%Y %H:%M") + (paris.strftime(":%S") if paris.second else "")
    return Markup('<time datetime="{0}" title="{0} (UTC)">{1}</time>').format(instant, shown)


def kind_of(value: object) -> str:  # noqa: PLR0911 - one line for each kind
    """How a value of an answer is shown."""
    match value:
        case None:
            return "nothing"
        case {"value": _, "rule": _, "article": _}:
            return "conclusion"
        case {"from": _, "to": _}:
            return "range"
        case dict():
            return "object"
        case list():
            return "list"
        case bool():
            return "truth"
        case str() if _INSTANT.match(value):
            return "instant"
    return "text"


def numbered(readings: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each reading with the choice that asks for it (``R2=2``)."""
    counts: dict[str, int] = {}
    for reading in readings:
        counts[reading["reading"]] = counts.get(reading["reading"], 0) + 1
        yield f"{reading['reading']}={counts[reading['reading']]}", reading


def _page(name: str, shared: Services, status: int = 200, **values: object) -> HTMLResponse:
    banner = {"simulated": shared.runtime.is_simulated, "clock": shared.runtime.clock}
    return HTMLResponse(_templates().get_template(name).render(banner=banner, **values), status)


def visitor(
    request: Request, shared: ServicesOf, session: Annotated[str | None, Cookie(alias=SESSION_COOKIE)] = None
) -> Caller | None:
    """Whoever reads the pages: a session, or the holder of a reader's key."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    found = None
    if scheme.lower() == "bearer":
        found = shared.access.caller_of_key(key.strip())
    elif session is not None:
        found = shared.access.caller_of_session(session)
    return None if found is None or found.roles.isdisjoint({"reader", "auditor"}) else found


Visitor = Annotated[Caller | None, Depends(visitor)]


def _refused(shared: Services, calling: Caller | None) -> HTMLResponse:
    if calling is None:
        return _page("message.html", shared, 401, title="Please open the link", kind="sign-in")
    return _page("message.html", shared, 403, title="Not with this key", kind="forbidden")


def _message(shared: Services, error: GreffeError) -> HTMLResponse:
    status = 404 if isinstance(error, NotRecordedError) else 422
    title = "Not in the record" if status == 404 else "This cannot be answered"  # noqa: PLR2004
    return _page("message.html", shared, status, title=title, kind="error", detail=str(error))


@router.get("/")
def home(
    request: Request, shared: ServicesOf, calling: Visitor, token: str | None = None, after: str = ""
) -> Response:
    """The accounts, and what is contestable and owed in each; or the exchange of a one-time link."""
    if token is not None:
        return _enter(request, shared, token)
    if calling is None:
        return _refused(shared, calling)
    names = [
        name for name in shared.runtime.record.accounts() if calling.may_read_account(name) and name > after
    ]
    rows = [_summary(shared, name) for name in names[:ACCOUNTS_ON_A_PAGE]]
    more = names[ACCOUNTS_ON_A_PAGE - 1] if len(names) > ACCOUNTS_ON_A_PAGE else None
    return _page("accounts.html", shared, rows=rows, more=more, size=shared.runtime.record.size())


def _enter(request: Request, shared: Services, token: str) -> Response:
    session = shared.access.open_session(token)
    if session is None:
        return _page("message.html", shared, 401, title="This link no longer opens", kind="used")
    answer = RedirectResponse("/", 303)
    answer.set_cookie(
        SESSION_COOKIE,
        session,
        max_age=SESSION_HOURS * 3600,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


def _summary(shared: Services, account: str) -> dict[str, Any]:
    """An account's line: what the contract is, what is still contestable, what is owed."""
    row: dict[str, Any] = {"account": account}
    for name in ("contract", "acceptance", "invoices", "balance"):
        try:
            row[name] = shared.runtime.answers.ask(name, account, as_of=None)["result"]
        except GreffeError as error:
            row[name] = None
            row["trouble"] = str(error)
    deliveries = (row["acceptance"] or {}).get("deliveries", [])
    row["open_deliveries"] = sum(
        delivery["status"]["value"] in ("provisional", "partly_final") for delivery in deliveries
    )
    row["open_invoices"] = sum(invoice["acceptance"]["value"] == "open" for invoice in row["invoices"] or [])
    row["disputed_invoices"] = sum(
        invoice["acceptance"]["value"] == "disputed" for invoice in row["invoices"] or []
    )
    return row


@router.get("/accounts/{account}")
def account_page(shared: ServicesOf, calling: Visitor, account: str) -> Response:
    """An account opens on its contract."""
    if calling is None or not calling.may_read_account(account):
        return _refused(shared, calling)
    if account not in shared.runtime.record.accounts():
        return _message(shared, NotRecordedError(f"there is no account {account}"))
    return RedirectResponse(f"/accounts/{account}/contract", 303)


@router.get("/accounts/{account}/{projection}")
def answer_page(
    shared: ServicesOf,
    calling: Visitor,
    account: str,
    projection: str,
    as_of: str = "",
    known_at: str = "",
    reading: Annotated[list[str], Query()] = [],  # noqa: B006 - FastAPI copies defaults
    after: str | None = None,
) -> Response:
    """One answer about an account, each conclusion with its reasons."""
    if calling is None or not calling.may_read_account(account):
        return _refused(shared, calling)
    try:
        readings = Readings.parse(reading)
        check(readings)
        answer = shared.runtime.answers.ask(
            projection,
            account,
            as_of=moment(as_of),
            known_at=moment(known_at),
            readings=readings,
            limit=ROWS_ON_A_PAGE if projection in words.PAGED else None,
            after=after,
        )
    except GreffeError as error:
        return _message(shared, error)
    asked = [("as_of", as_of), ("known_at", known_at), *(("reading", choice) for choice in reading)]
    return _page(
        "account.html",
        shared,
        account=account,
        projection=projection,
        tabs=[name for name in words.TABS if name in PROJECTIONS],
        answer=answer,
        asked=[(key, value) for key, value in asked if value],
        as_of=as_of,
        known_at=known_at,
        reading=reading,
        next=answer.get("next"),
    )


def moment(given: str) -> datetime | None:
    """An instant as people write it: RFC 3339, or a date and time of Paris without an offset.

    Raises:
        WrongCallError: neither.
    """
    given = given.strip()
    if not given:
        return None
    try:
        read = datetime.fromisoformat(given)
    except ValueError as error:
        raise WrongCallError(
            f"{given!r} is not an instant: write 2021-06-11T22:00:00Z, or 2021-06-12 00:00 for Paris time"
        ) from error
    if read.tzinfo is not None:
        return instants.parse_instant(given)
    return instants.parse_instant(instants.canonical(read.replace(tzinfo=instants.PARIS)))


@router.get("/subjects/{subject:path}")
def subject_page(shared: ServicesOf, calling: Visitor, subject: str, as_of: str = "") -> Response:
    """A subject: its facts, and every conclusion that rests on them."""
    if calling is None or not calling.may_read_subject(subject):
        return _refused(shared, calling)
    try:
        facts = clear_facts(shared.runtime.record, subject)
    except GreffeError as error:
        return _message(shared, error)
    for fact in facts:
        kind = TYPES[fact["type"]]
        fact["meaning"] = " ".join((kind.model.__doc__ or "").partition("\n\n")[0].split())
    account = account_of(subject)
    explanation, trouble = None, None
    if account != COMMON:
        try:
            explanation = shared.runtime.answers.explain(subject, as_of=moment(as_of))
        except (WrongCallError, NotRecordedError, ClauseError) as error:
            trouble = str(error)
    return _page(
        "subject.html",
        shared,
        subject=subject,
        account=None if account == COMMON else account,
        facts=facts,
        explanation=explanation,
        trouble=trouble,
        as_of=as_of,
    )


async def missing_page(request: Request, error: Exception) -> Response:
    """A path that leads nowhere: a page for a browser, a problem for a program."""
    if "text/html" not in request.headers.get("accept", "") or request.url.path.startswith("/v1/"):
        return await of_http(request, error)
    detail = f"There is no page {request.url.path}."
    return _page("message.html", services(request), 404, title="No such page", kind="error", detail=detail)


@router.get("/docs")
def reference(request: Request, shared: ServicesOf) -> Response:
    """The API, described for people from the same description that programs read."""
    schema = request.app.openapi()
    return _page("docs.html", shared, schema=schema, kinds=KINDS.values(), types=TYPES.values())
