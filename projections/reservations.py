"""Reservations of an account: firm, owed, and whether an order made in error is credited (art. 3.6, 4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ledger.contract.clauses.reservations import (
    Grounds,
    Order,
    Use,
    after_last_day,
    cancellation,
    credit_note,
    failed_conditions,
    first_day,
    order_owed,
    reservation_firm,
)
from ledger.contract.readings import check
from ledger.facts.recorded import Recorded
from ledger.facts.reservations import (
    ReservationCancellationRequested,
    ReservationCancelled,
    ReservationOrdered,
    ReservationUsed,
)
from projections.question import Question

RESERVATION_TYPES = frozenset(
    {
        "reservation.ordered",
        "reservation.cancellation_requested",
        "reservation.cancelled",
        "reservation.used",
    }
)


def orders(facts: Iterable[Recorded]) -> Iterator[Order]:
    """Every reservation with what followed it, in the order in which they were ordered."""
    subjects: dict[str, list[Recorded]] = {}
    for fact in facts:
        if fact.type in RESERVATION_TYPES:
            subjects.setdefault(fact.subject, []).append(fact)
    for history in subjects.values():
        ordered = next((fact for fact in history if isinstance(fact.data, ReservationOrdered)), None)
        if ordered is not None:
            yield _order(ordered, history)


def _order(ordered: Recorded, history: list[Recorded]) -> Order:
    data = ordered.data
    if not isinstance(data, ReservationOrdered):
        raise TypeError(f"{ordered.subject} was opened by {ordered.type}")
    cancelled = [fact for fact in history if isinstance(fact.data, ReservationCancelled)]
    return Order(
        ordered,
        ordered.legal_time,
        first_day(data.from_),
        after_last_day(data.to),
        data.amount,
        data.channel,
        tuple(_grounds(fact) for fact in history if isinstance(fact.data, ReservationCancellationRequested)),
        _grounds(cancelled[-1]) if cancelled else None,
        tuple(
            Use(fact, fact.legal_time if data.from_ is None else first_day(data.from_), data.consumed)
            for fact in history
            if isinstance(data := fact.data, ReservationUsed)
        ),
    )


def _grounds(fact: Recorded) -> Grounds:
    data = fact.data
    if not isinstance(data, ReservationCancellationRequested | ReservationCancelled):
        raise TypeError(f"{fact.type} gives no grounds")
    return Grounds(
        fact,
        fact.legal_time,
        bool(data.reason),
        data.reproducible,
        data.third_party_commitment,
        data.setup_costs,
        data.consumed,
    )


class Reservations:
    """Every reservation of an account; ``owed`` is what is owed of the order, without VAT."""

    name = "reservations"
    types = RESERVATION_TYPES

    def answer(self, facts: Iterable[Recorded], question: Question) -> list[dict[str, Any]]:
        """The ``result``.

        Raises:
            WrongCallError: a reading does not exist.
        """
        check(question.readings)
        return [_row(order, question) for order in orders(facts)]


def _row(order: Order, question: Question) -> dict[str, Any]:
    terms, readings = question.terms, question.readings
    asked = bool(order.requests)
    return {
        "subject": order.fact.subject,
        "firm": reservation_firm(order),
        "owed": order_owed(order, terms, readings),
        "cancellation": cancellation(order, terms, readings) if asked else None,
        "failed_conditions": failed_conditions(order, terms, readings),
        "credit_note": credit_note(order, terms, readings),
    }


RESERVATIONS = Reservations()
