"""Duties at the end of a contract: recovery, erasure, certificate, and what is kept (art. 18)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ledger import money
from ledger.contract.clauses.duty import Act, Delay, Duty, Matter, Who
from ledger.contract.clauses.endings import decisive, mandatory_retrieval
from ledger.contract.clauses.payment import Invoice
from ledger.contract.clauses.recovery import (
    Ending,
    Hold,
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
    """Recovery orders, what the end of the contract brings, what follows erasure, then quotes and prices."""
    ending = Ending(case.dossier.relation(), case.question.terms)
    orders = list(case.opened_by("recovery.ordered"))
    for facts in orders:
        yield _order(case, ending, facts)
        yield from _handed_over(case, facts)
    if ending.last_day(case.question.readings) is not None:
        yield from _end(case, ending, orders)
    for facts in case.opened_by("erasure.done"):
        yield from _erasure(case, facts)
    for facts in orders:
        yield from _bargain(case, ending, facts)


def _order(case: Case, ending: Ending, facts: list[Recorded]) -> Duty:
    ordered, readings = facts[0], case.question.readings
    before, order = ending.recover_before(readings), _order_of(case, ordered)
    status = recovery_order(order, ending, readings)
    delay = None if before is None else Delay.until(before)
    what = "order recovery by mail, before the end, with nothing owed"
    met_by = ordered if status.value == "met" else None
    note = why_not_recovered(order, before)
    return Duty(ordered.subject, "client", what, status, delay, met_by, note)


def _order_of(case: Case, ordered: Recorded) -> RecoveryOrder:
    unpaid = _unpaid_at(case, ordered)
    return RecoveryOrder(
        ordered,
        Act(ordered, ordered.legal_time, ordered.not_after),
        case.carried(ordered, "client") is None,
        money.exact_sum(invoice.unpaid for invoice in unpaid),
        tuple(fact for invoice in unpaid for fact in invoice.reasons),
    )


def _unpaid_at(case: Case, ordered: Recorded) -> list[Invoice]:
    """The invoices that were not settled when an order came."""
    files = Files(case.question.terms)
    history = (fact for facts in case.subjects.values() for fact in facts if fact.type in INVOICE_TYPES)
    known = [fact for fact in history if fact.legal_time <= ordered.legal_time]
    for fact in sorted(known, key=lambda fact: (fact.legal_time, fact.position)):
        files.take(fact)
    return [row.invoice for _, row in files.contested() if row.invoice.unpaid > 0]


def _handed_over(case: Case, facts: list[Recorded]) -> Iterator[Duty]:
    paid = first(facts, "recovery.paid")
    if paid is not None:
        yield _step(
            case,
            facts[0],
            "outscale",
            "hand over the recovered data",
            paid,
            first(facts, "recovery.delivered"),
        )


def _bargain(case: Case, ending: Ending, facts: list[Recorded]) -> Iterator[Duty]:
    """The quote that an admissible order calls for, and its price once it is accepted."""
    quoted, accepted = first(facts, "recovery.quoted"), first(facts, "recovery.accepted")
    readings = case.question.readings
    admissible = recovery_order(_order_of(case, facts[0]), ending, readings).value != "missed"
    if admissible or quoted is not None:
        yield _step(case, facts[0], "outscale", "quote the recovery", facts[0], quoted)
    if accepted is not None:
        yield _step(case, facts[0], "client", "pay for the recovery", accepted, first(facts, "recovery.paid"))


def _step(case: Case, ordered: Recorded, who: Who, what: str, since: Recorded, done: Recorded | None) -> Duty:
    matter = Matter(since, None, act_of(done))
    return Duty.of(ordered.subject, who, what, matter, data_handed_over(matter, case.question.as_of))


def _end(case: Case, ending: Ending, orders: list[list[Recorded]]) -> Iterator[Duty]:
    question, readings, as_of = case.question, case.question.readings, case.question.as_of
    ended = decisive(ending.relation, question.terms, readings)
    by_termination = ended is not None and ended[1].effective is not None
    subject = ended[0].fact.subject if ended is not None and by_termination else question.account
    recovered, before = _recovered(orders), ending.recover_before(readings)
    matter = Matter(None, None if before is None else Delay.until(before), recovered)
    status = data_recovered(ending, recovered, as_of, readings)
    row = Duty.of(subject, "client", "recover its data", matter, status)
    yield replace(row, note=mandatory_retrieval(*ended, question.terms) if ended is not None else None)
    yield _erase(case, ending, subject)
    last_day = ending.last_day(readings)
    if last_day is not None:
        keep = Matter(None, billing_data_until(last_day, question.terms), None, ending.reasons)
        row = Duty.of(subject, "outscale", "erase billing data", keep, billing_data_kept(keep, as_of))
        yield replace(row, note="data of identification stay as the decree 2011-219 says")


def _recovered(orders: list[list[Recorded]]) -> Act | None:
    """The recovery that was handed over: the client did its part when it ordered."""
    for facts in orders:
        delivered = first(facts, "recovery.delivered")
        if delivered is not None:
            return Act(delivered, facts[0].legal_time, facts[0].not_after)
    return None


def _erase(case: Case, ending: Ending, subject: str) -> Duty:
    as_of, readings, holds = case.question.as_of, case.question.readings, tuple(holds_of(case))
    erased = act_of(next((facts[0] for facts in case.opened_by("erasure.done")), None))
    by = ending.erased_by(readings)
    delay = None if by is None or any(hold.stands(by) for hold in holds) else Delay.until(by)
    status = data_erased(ending, erased, holds, as_of, readings)
    duty = Duty.of(subject, "outscale", "erase the client's data", Matter(None, delay, erased), status)
    standing = next((hold for hold in holds if hold.stands(as_of)), None)
    return replace(duty, note=None if standing is None else f"a legal hold stands: {standing.fact.subject}")


def holds_of(case: Case) -> Iterator[Hold]:
    """The legal holds on the account, each until it was released, or until the day that it names."""
    for facts in case.opened_by("hold.placed"):
        placed, released = facts[0].data, first(facts, "hold.released")
        ends = [end_of(placed.until) if isinstance(placed, HoldPlaced) else None]
        ends += [None if released is None else released.legal_time]
        until = min((end for end in ends if end is not None), default=None)
        yield Hold(facts[0], facts[0].legal_time, until)


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
