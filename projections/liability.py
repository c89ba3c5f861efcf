"""Claims for damage: what is owed at the most, and why (arts. 13.1, 13.2, 25)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from ledger import instants, money
from ledger.contract.clauses.downtime import Place
from ledger.contract.clauses.liability import (
    Cashed,
    Damage,
    Event,
    force_majeure_excuse,
    liability_cap,
    limit_of,
)
from ledger.contract.clauses.windows import Interval
from ledger.contract.readings import check
from ledger.contract.terms import Terms
from ledger.facts.damages import DamageClaimed, DamageSettled
from ledger.facts.invoices import InvoiceIssued
from ledger.facts.recorded import Recorded
from projections.days import end_of, instant_of
from projections.invoices import INVOICE_TYPES, File, Files, paris_day
from projections.outages import TROUBLE_TYPES, Troubles
from projections.question import Question
from projections.sla import bill_of

DAMAGE_TYPES = frozenset({"damage.claimed", "damage.settled"})


class Liability:
    """Every claim for damage, with its cap and what explains it.

    Beside the fields of the interface a row says who claims what, in which currency the cap is (the sum of
    art. 25 is in euros whatever the claim's), whether liability is ``excluded`` or ``unlimited``, ``why``,
    the parts of the failure that force majeure excuses, and what settled it.
    """

    name = "liability"
    types = DAMAGE_TYPES | INVOICE_TYPES | TROUBLE_TYPES

    def answer(self, facts: Iterable[Recorded], question: Question) -> list[dict[str, Any]]:
        """The ``result``.

        Raises:
            WrongCallError: a reading does not exist.
        """
        check(question.readings)
        terms = question.terms.at(question.as_of)
        files, troubles, damages = Files(question.terms), Troubles(terms), dict[str, list[Recorded]]()
        for fact in facts:
            if fact.type in DAMAGE_TYPES:
                damages.setdefault(fact.subject, []).append(fact)
            elif fact.type in INVOICE_TYPES:
                files.take(fact)
            else:
                troubles.take(fact)
        cashed = tuple(_cashed(file, terms) for file in files.all())
        return [
            row
            for history in damages.values()
            if (row := _row(history, cashed, troubles, terms, question)) is not None
        ]


def _row(
    history: list[Recorded], cashed: tuple[Cashed, ...], troubles: Troubles, terms: Terms, question: Question
) -> dict[str, Any] | None:
    claimed = next((fact for fact in history if isinstance(fact.data, DamageClaimed)), None)
    if claimed is None or not isinstance(claimed.data, DamageClaimed):
        return None
    damage = _damage(claimed, claimed.data, terms)
    place = Place(frozenset() if damage.service is None else frozenset({damage.service}))
    events = tuple(
        Event(trouble.facts, trouble.span)
        for trouble in troubles.incidents()
        if damage.by == "client" and trouble.cause == "force_majeure" and trouble.strikes(place)
    )
    asked = (damage, cashed, events, question.terms, question.as_of, question.readings)
    limit, so_far = limit_of(*asked), None if damage.outage is None else _so_far(damage.outage, question)
    settled = [fact.data.amount for fact in history if isinstance(fact.data, DamageSettled)]
    return {
        "subject": claimed.subject,
        "by": damage.by,
        "kind": damage.kind,
        "claimed": claimed.data.amount,
        "currency": claimed.data.currency,
        "cap": liability_cap(*asked),
        "cap_currency": limit.currency or damage.currency,
        "excluded": limit.extent == "excluded",
        "unlimited": limit.extent == "unlimited",
        "why": limit.why,
        "excused": None if so_far is None else force_majeure_excuse(so_far, events),
        "settled": settled[-1] if settled else None,
    }


def _so_far(outage: Interval, question: Question) -> Interval:
    """An interruption as far as it is known: one without end still runs."""
    return Interval(outage.start, max(outage.start, min(outage.end, question.as_of)))


def _damage(claimed: Recorded, data: DamageClaimed, terms: Terms) -> Damage:
    start, end = instant_of(data.from_), end_of(data.to)
    last = data.last_event or data.to or instants.paris_date(claimed.legal_time)
    return Damage(
        claimed,
        claimed.legal_time,
        data.by,
        data.kind,
        paris_day(last),
        None if data.service is None else terms.service_named(data.service),
        None if start is None else Interval(start, end or instants.utc_midnight(date.max)),
        data.gross_fault,
        data.bodily_harm,
        data.beta,
        data.currency,
    )


def _cashed(file: File, terms: Terms) -> Cashed:
    """An invoice as it was cashed, and what its lines bill of each service."""
    bill, data = bill_of(file), file.issued.data
    amounts: dict[str, Decimal] = {}
    if isinstance(data, InvoiceIssued):
        for line in data.lines:
            if line.service is not None and line.amount is not None:
                name = terms.service_named(line.service)
                amounts[name] = money.exact_sum((amounts.get(name, money.NIL), line.amount))
    return Cashed(bill.invoice, bill.first_day, bill.last_day, tuple(amounts.items()))


LIABILITY = Liability()
