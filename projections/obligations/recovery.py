"""Duties at the end of a contract: recovery, erasure, certificate, and what is kept (art. 18)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal

from ledger import money
from ledger.contract.clauses.duty import Act, Delay, Duty, Matter
from ledger.contract.clauses.endings import decisive, erasable_from, recover_data_before
from ledger.contract.clauses.recovery import (
    RecoveryOrder,
    billing_data_kept,
    billing_data_until,
    certificate_asked,
    certificate_issued,
    data_erased,
    data_handed_over,
    data_recovered,
    log_gone,
    log_kept,
    recovery_order,
    time_to_ask,
    time_to_erase,
    why_not_recovered,
)
from ledger.facts.privacy import HoldPlaced
from ledger.facts.recorded import Recorded
from projections.days import end_of
from projections.invoices import INVOICE_TYPES, Files
from projections.obligations.case import Case, act_of, first

TYPES = INVOICE_TYPES | frozenset(
    {
        "recovery.ordered",
        "recovery.quoted",
        "recovery.accepted",
        "recovery.paid",
        "recovery.delivered",
        "erasure.done",
        "erasure.certificate_requested",
        "erasure.certificate_issued",
        "hold.placed",
        "hold.released",
    }
)


def duties(case: Case) -> Iterator[Duty]:
    """Recovery orders, then what the end of the contract brings, then what follows erasure."""
    ended = decisive(case.dossier.relation(), case.question.terms, case.question.readings)
    effective = None if ended is None else ended[1].effective
    for facts in case.opened_by("recovery.ordered"):
        yield from _recovery(case, facts)
    if ended is not None and effective is not None:
        yield from _end(case, ended[0].fact.subject, effective)
    for facts in case.opened_by("erasure.done"):
        yield from _erasure(case, facts)


def _recovery(case: Case, facts: list[Recorded]) -> Iterator[Duty]:
    ordered, as_of = facts[0], case.question.as_of
    relation, terms, readings = case.dossier.relation(), case.question.terms, case.question.readings
    before = recover_data_before(relation, terms, readings)
    unpaid = _owed_at(case, ordered)
    order = RecoveryOrder(
        ordered,
        Act(ordered, ordered.legal_time, ordered.not_after),
        case.carried(ordered, "client") is None,
        unpaid,
        before.value,
        before.because,
    )
    status = recovery_order(order)
    delay = None if before.value is None else Delay.until(before.value)
    what = "order recovery by mail, before the end, with nothing owed"
    met_by = ordered if status.value == "met" else None
    yield Duty(ordered.subject, "client", what, status, delay, met_by, why_not_recovered(order))
    paid = first(facts, "recovery.paid")
    if paid is not None:
        matter = Matter(paid, None, act_of(first(facts, "recovery.delivered")))
        handed = data_handed_over(matter, as_of)
        yield Duty.of(ordered.subject, "outscale", "hand over the recovered data", matter, handed)


def _owed_at(case: Case, ordered: Recorded) -> Decimal:
    """What invoices left unpaid when an order came."""
    files = Files()
    history = (fact for facts in case.subjects.values() for fact in facts if fact.type in INVOICE_TYPES)
    known = [fact for fact in history if fact.legal_time <= ordered.legal_time]
    for fact in sorted(known, key=lambda fact: (fact.legal_time, fact.position)):
        files.take(fact)
    return money.exact_sum(row.invoice.unpaid for _, row in files.contested())


def _end(case: Case, subject: str, effective: date) -> Iterator[Duty]:
    question, relation = case.question, case.dossier.relation()
    terms, readings, as_of = question.terms, question.readings, question.as_of
    before = recover_data_before(relation, terms, readings)
    told = before.because
    delivered = next(
        (
            fact
            for facts in case.opened_by("recovery.ordered")
            if (fact := first(facts, "recovery.delivered"))
        ),
        None,
    )
    recover = Matter(
        None, None if before.value is None else Delay.until(before.value), act_of(delivered), told
    )
    yield Duty.of(subject, "client", "recover its data", recover, data_recovered(recover, as_of))
    erased = next((facts[0] for facts in case.opened_by("erasure.done")), None)
    erase = Matter(None, time_to_erase(effective, relation.deactivated_at, terms), act_of(erased), told)
    status = data_erased(erase, erasable_from(relation, terms, readings).value, as_of)
    duty = Duty.of(subject, "outscale", "erase the client's data", erase, status)
    yield replace(duty, note=_held(case))
    keep = Matter(None, billing_data_until(effective, terms), None, told)
    row = Duty.of(subject, "outscale", "erase billing data", keep, billing_data_kept(keep, as_of))
    yield replace(row, note="data of identification stay as the decree 2011-219 says")


def _held(case: Case) -> str | None:
    """That a legal hold forbids erasure, while one stands."""
    for facts in case.opened_by("hold.placed"):
        placed = facts[0].data
        until = end_of(placed.until) if isinstance(placed, HoldPlaced) else None
        over = until is not None and case.question.as_of >= until
        if first(facts, "hold.released") is None and not over:
            return f"a legal hold stands: {facts[0].subject}"
    return None


def _erasure(case: Case, facts: list[Recorded]) -> Iterator[Duty]:
    done, as_of, terms = facts[0], case.question.as_of, case.question.terms
    requested = first(facts, "erasure.certificate_requested")
    ask = Matter(done, time_to_ask(done.legal_time, terms), act_of(requested))
    asked = certificate_asked(ask, as_of)
    yield Duty.of(done.subject, "client", "ask for the certificate of erasure", ask, asked)
    if requested is not None and asked.value == "met":
        issue = Matter(requested, None, act_of(first(facts, "erasure.certificate_issued")))
        issued = certificate_issued(issue, as_of)
        yield Duty.of(done.subject, "outscale", "certify the erasure in writing", issue, issued)
    keep = Matter(done, log_gone(done.legal_time, terms))
    yield Duty.of(done.subject, "outscale", "delete the log of the erasure", keep, log_kept(keep, as_of))
