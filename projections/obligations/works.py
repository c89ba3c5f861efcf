"""Duties on professional services: to pay what has fallen due, and to accept them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from ledger import money
from ledger.contract.clauses.duty import Duty, Matter, first_in_order
from ledger.contract.clauses.works import Works, works_accepted, works_owed, works_paid
from ledger.facts.recorded import Recorded
from ledger.facts.works import WorksOrdered, WorksProgressed
from projections.obligations.case import Case, act_of

TYPES = frozenset({"works.ordered", "works.progressed", "works.accepted", "works.put_in_production"})


def duties(case: Case) -> Iterator[Duty]:
    """For each order, what is owed so far, and acceptance."""
    for facts in case.opened_by("works.ordered"):
        works = _works(facts)
        currency = facts[0].data.currency if isinstance(facts[0].data, WorksOrdered) else ""
        owed = works_owed(works, case.question.terms, case.question.readings)
        said = (
            "no amount was ordered" if owed.value is None else f"{money.text(owed.value)} {currency} so far"
        )
        matter = Matter(works.fact, None, None, works.reasons[1:])
        paid = replace(works_paid(matter, case.question.as_of), because=owed.because, readings=())
        yield Duty(works.fact.subject, "client", "pay what has fallen due of the works", paid, note=said)
        acceptance = Matter(works.fact, None, works.accepted)
        status = works_accepted(acceptance, case.question.as_of)
        yield Duty.of(works.fact.subject, "client", "accept the works", acceptance, status)


def _works(facts: list[Recorded]) -> Works:
    ordered = facts[0]
    progressed = [fact for fact in facts if isinstance(fact.data, WorksProgressed)]
    last = progressed[-1] if progressed else None
    done = [act_of(fact) for fact in facts if fact.type in ("works.accepted", "works.put_in_production")]
    return Works(
        ordered,
        ordered.legal_time,
        ordered.data.amount if isinstance(ordered.data, WorksOrdered) else None,
        last.data.progress if last is not None and isinstance(last.data, WorksProgressed) else Decimal(0),
        last,
        first_in_order(act for act in done if act is not None),
    )
