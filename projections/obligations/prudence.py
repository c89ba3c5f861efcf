"""The client's duties of prudence and collaboration (arts. 3.4.1, 9.1, 9.2, 9.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import takewhile

from ledger import instants
from ledger.contract.clauses.duty import Act, Delay, Duty, Matter
from ledger.contract.clauses.prudence import (
    Appointed,
    Renewal,
    access_keys_renewal,
    operation_announced,
    reasonable_use,
    renewed_by,
    responsible_at_all_times,
    time_to_announce,
    time_to_answer,
    time_to_renew,
    verification_answered,
    worn_equipment,
)
from ledger.facts.accounts import AccountResponsibleLeft, AccountResponsibleNamed
from ledger.facts.agreements import VerificationClosed
from ledger.facts.recorded import Recorded
from ledger.facts.security import AbuseCostClaimed, AccessKeys, AccessKeysRenewed, OperationAnnounced
from projections.days import instant_of
from projections.obligations.case import Case, act_of, first

TYPES = frozenset(
    {
        "account.responsible_named",
        "account.responsible_left",
        "access_keys.renewal_requested",
        "access_keys.renewed",
        "abuse.found",
        "abuse.cost_claimed",
        "operation.announced",
    }
)


def duties(case: Case) -> Iterator[Duty]:
    """Verification, access keys, abnormal use, operations, and the responsible person."""
    for facts in case.opened_by("verification.requested"):
        yield _verification(case, facts)
    for facts in case.opened_by("access_keys.renewal_requested"):
        yield _access_keys(case, facts)
    for facts in case.opened_by("abuse.found"):
        yield from _abuse(case, facts)
    for facts in case.opened_by("operation.announced"):
        yield _operation(case, facts)
    yield from _responsible(case)


def _verification(case: Case, facts: list[Recorded]) -> Duty:
    asked, as_of = facts[0], case.question.as_of
    untold = case.carried(asked, "outscale")
    delay = time_to_answer(asked.legal_time, case.question.terms) if untold is None else None
    received = first(facts, "verification.acknowledged")
    because = () if received is None else (received,)
    verified = next((fact for fact in facts if _verifies(fact)), None)
    matter = Matter(asked, delay, act_of(first(facts, "verification.corrected") or verified), because)
    status = verification_answered(matter, as_of)
    duty = Duty.of(
        asked.subject, "client", "acknowledge the anomaly e-mail, and correct or prove", matter, status
    )
    if untold is not None:
        return replace(duty, note=f"the delay has not begun: {untold}")
    closed = first(facts, "verification.closed")
    outcome = (
        closed.data.outcome if closed is not None and isinstance(closed.data, VerificationClosed) else None
    )
    if outcome != "verified" and (status.value == "missed" or outcome is not None):
        note = "OUTSCALE may terminate without notice, by e-mail or SMS, and take the measures it needs"
        return replace(duty, note=note)
    return duty


def _verifies(fact: Recorded) -> bool:
    """Whether OUTSCALE itself verified what it had doubted: then nothing was left to answer."""
    return isinstance(fact.data, VerificationClosed) and fact.data.outcome in (None, "verified")


def _access_keys(case: Case, facts: list[Recorded]) -> Duty:
    asked = facts[0]
    delay = time_to_renew(asked.legal_time, case.question.terms)
    keys = asked.data.keys if isinstance(asked.data, AccessKeys) else []
    renewals = [
        Renewal(Act(fact, fact.legal_time, fact.not_after), frozenset(fact.data.keys))
        for fact in facts
        if isinstance(fact.data, AccessKeysRenewed)
    ]
    done = renewed_by(keys, asked.legal_time, renewals)
    earlier = takewhile(lambda row: done is None or row.act.fact is not done.fact, renewals)
    matter = Matter(asked, delay, done, tuple(row.act.fact for row in earlier))
    status = access_keys_renewal(matter, case.question.as_of)
    duty = Duty.of(asked.subject, "client", "renew the access keys", matter, status)
    excluded = "OUTSCALE does not answer for damage linked to keys that were not renewed in time"
    return replace(duty, note=excluded if status.value == "missed" else None)


def _abuse(case: Case, facts: list[Recorded]) -> Iterator[Duty]:
    found, as_of = facts[0], case.question.as_of
    matter = Matter(found)
    status = reasonable_use(matter, as_of)
    allowed = "OUTSCALE may block at once and begin termination"
    yield Duty(found.subject, "client", "make reasonable use of the services", status, note=allowed)
    for fact in facts:
        if isinstance(fact.data, AbuseCostClaimed):
            owed = worn_equipment(Matter(fact, because=(found,)), fact.data.invoice, as_of)
            on_invoice = (
                None if fact.data.invoice else "owed only on the supplier's invoice, and none is named"
            )
            yield Duty(fact.subject, "client", "refund the worn equipment", owed, note=on_invoice)


def _operation(case: Case, facts: list[Recorded]) -> Duty:
    told = facts[0]
    begins = instant_of(told.data.from_) if isinstance(told.data, OperationAnnounced) else None
    delay = None if begins is None else time_to_announce(begins, case.question.terms)
    matter = Matter(told, delay, act_of(told))
    status = operation_announced(matter, case.question.as_of)
    duty = Duty.of(told.subject, "client", "announce an operation that raises load", matter, status)
    protected = "protected from being read as an anomaly" if status.value == "met" else "not protected"
    return replace(duty, note=protected)


def _responsible(case: Case) -> Iterator[Duty]:
    """A row for each period without a responsible person, from the opening of the account to its end."""
    over = case.over_from
    for since, until in _vacancies(case.subjects.get(case.question.account, [])):
        if since.legal_time >= over:
            continue
        named = until if until is not None and until.legal_time < over else None
        ended = named is None and over <= case.question.as_of
        matter = Matter(
            since, Delay.until(since.legal_time), act_of(named), case.ending.reasons if ended else ()
        )
        ends = over if ended else None if named is None else named.legal_time
        yield _gap(case, matter, since, ends)


def _vacancies(history: list[Recorded]) -> Iterator[tuple[Recorded, Recorded | None]]:
    """The facts between which nobody was responsible; the second is missing while nobody is."""
    appointed, opened, since = Appointed(), False, None
    for fact in history:
        if isinstance(fact.data, AccountResponsibleNamed):
            appointed.appoint(fact.data.name)
        elif isinstance(fact.data, AccountResponsibleLeft):
            appointed.leave(fact.data.name)
        opened = opened or fact.type == "account.opened"
        if opened and since is None and not appointed.anybody:
            since = fact
        elif since is not None and appointed.anybody:
            if since.legal_time < fact.legal_time:
                yield since, fact
            since = None
    if since is not None:
        yield since, None


def _gap(case: Case, matter: Matter, since: Recorded, ends: datetime | None) -> Duty:
    status = responsible_at_all_times(matter, case.question.as_of)
    said = "still" if ends is None else f"until {instants.plain(ends)}"
    note = f"without one since {instants.plain(since.legal_time)}, {said}"
    return replace(
        Duty.of(since.subject, "client", "have a responsible person at all times", matter, status), note=note
    )
