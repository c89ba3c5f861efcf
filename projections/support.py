"""Support tickets: response, restoration, and whether the service level applies (art. 19, Annex A SLA9)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ledger.contract.clauses.support import (
    Question as Asked,
)
from ledger.contract.clauses.support import (
    Ticket,
    response_time,
    restoration_time,
    support_applies,
    ticket_number,
)
from ledger.contract.readings import check
from ledger.facts.recorded import Recorded
from ledger.facts.support import Exchange, TicketOpened, TicketQuestionAnswered
from projections.outages import PLACE_TYPES, Places
from projections.question import Question

TICKET_TYPES = frozenset(
    {
        "ticket.opened",
        "ticket.answered",
        "ticket.question_asked",
        "ticket.question_answered",
        "ticket.resolved",
    }
)


class Support:
    """Every ticket of an account, in the order in which they were opened, with its exchanges."""

    name = "support"
    types = TICKET_TYPES | PLACE_TYPES

    def answer(self, facts: Iterable[Recorded], question: Question) -> list[dict[str, Any]]:
        """The ``result``.

        Raises:
            WrongCallError: a reading does not exist.
        """
        check(question.readings)
        places, subjects = Places(), dict[str, list[Recorded]]()
        for fact in facts:
            if fact.type in TICKET_TYPES:
                subjects.setdefault(fact.subject, []).append(fact)
            else:
                places.take(fact)
        rows = []
        for history in subjects.values():
            opened = next((fact for fact in history if isinstance(fact.data, TicketOpened)), None)
            if opened is not None:
                rows.append(_row(_ticket(opened, history), history, places, question))
        return rows


def _ticket(opened: Recorded, history: list[Recorded]) -> Ticket:
    """A ticket from its history; a resolution stands unless another follows what was said after it."""
    data = opened.data
    if not isinstance(data, TicketOpened):
        raise TypeError(f"{opened.subject} was opened by {opened.type}")
    complete = opened if data.information_complete else None
    response, resolved, reopened = None, None, False
    asked: list[Asked] = []
    for fact in history:
        match fact.type:
            case "ticket.answered":
                response = response or fact
            case "ticket.question_asked":
                response, reopened = response or fact, True
                asked.append(Asked(fact, fact.legal_time))
            case "ticket.question_answered":
                asked, reopened = [_answered(row, fact) for row in asked], True
                said = isinstance(fact.data, TicketQuestionAnswered) and fact.data.information_complete
                complete = fact if complete is None and said else complete
            case "ticket.resolved":
                response = response or fact
                if resolved is None or reopened:
                    resolved, reopened = fact, False
    return Ticket(
        opened,
        opened.legal_time,
        data.severity,
        data.specific_support,
        complete,
        None if complete is None else complete.legal_time,
        response,
        None if response is None else response.legal_time,
        tuple(asked),
        resolved,
        None if resolved is None else resolved.legal_time,
        tuple(fact for fact in history if fact is not opened),
    )


def _answered(row: Asked, fact: Recorded) -> Asked:
    """The answer settles every question that was open."""
    return row if row.answered is not None else Asked(row.asked, row.asked_at, fact, fact.legal_time)


def _row(ticket: Ticket, history: list[Recorded], places: Places, question: Question) -> dict[str, Any]:
    terms, as_of, readings = question.terms, question.as_of, question.readings
    return {
        "subject": ticket.fact.subject,
        "ticket": ticket_number(ticket),
        "severity": ticket.severity,
        "response": response_time(ticket, terms, as_of),
        "restoration": restoration_time(ticket, terms, as_of, readings),
        "applies": support_applies(ticket, places.zones(), places.region, as_of),
        "exchanges": [
            {"at": fact.legal_time, "type": fact.type, "channel": _channel(fact)} for fact in history
        ],
    }


def _channel(fact: Recorded) -> str | None:
    return fact.data.channel if isinstance(fact.data, Exchange) else None


SUPPORT = Support()
