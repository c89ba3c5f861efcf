"""Duties on personal data (art. 14.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta

from ledger.contract.clauses.duty import Delay, Duty, Matter, first_in_order
from ledger.contract.clauses.notification import Form, why_invalid
from ledger.contract.clauses.privacy import (
    breach_notified,
    relation_data_erased,
    request_answered,
    request_passed_on,
    subcontractors_told,
    time_to_answer_request,
    time_to_tell_of_breach,
)
from ledger.contract.clauses.retention import (
    relation_data_kept,
    relation_erasable_from,
    relation_kept_until,
)
from ledger.facts.privacy import RightsRequestReceived, SubcontractorsChanged
from ledger.facts.proof import PersonErased
from ledger.facts.recorded import Recorded
from ledger.facts.shape import FactModel
from projections.days import instant_of
from projections.obligations.case import Case, act_of, first
from projections.obligations.recovery import holds_of

TYPES = frozenset(
    {
        "subcontractors.changed",
        "breach.discovered",
        "breach.notified",
        "rights_request.received",
        "rights_request.answered",
        "person.erased",
    }
)

_BY_EMAIL = Form(by_email=True)
_DESCRIBED = ("nature", "consequences", "measures", "contact")
_INSTANT = timedelta(microseconds=1)


def duties(case: Case) -> Iterator[Duty]:
    """Subcontractors, breaches, requests, and what is kept after the end."""
    for facts in case.opened_by("subcontractors.changed"):
        yield from _subcontractors(case, facts[0])
    for facts in case.opened_by("rights_request.received"):
        yield from _request(case, facts)
    for facts in case.opened_by("breach.discovered"):
        yield _breach(case, facts)
    yield from _relation_data(case)


def _told(case: Case, subject: str, channels: tuple[str, ...]) -> Recorded | None:
    """The first notification to the account about a subject, sent as it should be."""
    post = case.dossier.post
    for sent in post.sent.values():
        if sent.about != subject or sent.data.channel not in channels:
            continue
        wrong = why_invalid(post.notification(sent), post.known_addresses(), case.question.readings)
        if sent.data.channel == "interface" or wrong is None:
            return sent.fact
    return None


def _subcontractors(case: Case, changed: Recorded) -> Iterator[Duty]:
    """Owed to whoever was a client before the change, and still is when it takes effect."""
    data = changed.data
    said = instant_of(data.effective) if isinstance(data, SubcontractorsChanged) else None
    effective = said or changed.legal_time
    if case.client_during(effective, effective - _INSTANT):
        told = _told(case, changed.subject, ("email", "interface"))
        matter = Matter(changed, Delay.until(effective), act_of(told))
        status = subcontractors_told(matter, case.question.as_of)
        what = "tell of the change of subcontractors before it"
        yield Duty.of(changed.subject, "outscale", what, matter, status)


def _request(case: Case, facts: list[Recorded]) -> Iterator[Duty]:
    """The client's own request is answered, a person's passed on; one that is either's, both."""
    by = facts[0].data.by if isinstance(facts[0].data, RightsRequestReceived) else None
    if by != "person":
        yield _answer(case, facts)
    if by != "client":
        yield _pass_on(case, facts)


def _answer(case: Case, facts: list[Recorded]) -> Duty:
    received, as_of, readings = facts[0], case.question.as_of, case.question.readings
    terms = case.question.terms
    delay = time_to_answer_request(received.legal_time, terms, readings)
    matter = Matter(received, delay, act_of(first(facts, "rights_request.answered")))
    status = request_answered(received.legal_time, matter, terms, as_of, readings)
    return Duty.of(received.subject, "outscale", "answer the request", matter, status)


def _pass_on(case: Case, facts: list[Recorded]) -> Duty:
    """Done by an e-mail to the client about the request, or by one that carried an answer to it."""
    received = facts[0]
    mailed = [act_of(_told(case, received.subject, ("email",)))]
    mailed += [
        act_of(fact)
        for fact in facts
        if fact.type == "rights_request.answered" and case.carried(fact, "outscale", _BY_EMAIL) is None
    ]
    told = Matter(received, None, first_in_order(act for act in mailed if act is not None))
    status = request_passed_on(told, case.question.as_of)
    return Duty.of(received.subject, "outscale", "pass the request on", told, status)


def _breach(case: Case, facts: list[Recorded]) -> Duty:
    found = facts[0]
    delay = time_to_tell_of_breach(found.legal_time, case.question.terms)
    notified = [fact for fact in facts if fact.type == "breach.notified"]
    wrong = {fact.position: case.carried(fact, "outscale", _BY_EMAIL) for fact in notified}
    told = [fact for fact in notified if wrong[fact.position] is None]
    acts = [act for fact in told if (act := act_of(fact)) is not None]
    matter = Matter(found, delay, first_in_order(acts), tuple(notified))
    status = breach_notified(matter, case.question.as_of)
    duty = Duty.of(found.subject, "outscale", "notify the personal-data breach by mail", matter, status)
    said = next((why for why in wrong.values() if why is not None), None)
    if acts:
        missing = ", ".join(_undescribed(fact.data for fact in told))
        return replace(duty, note=f"not on record of what it describes: {missing}" if missing else None)
    return replace(duty, note=None if said is None else f"irregular: {said}")


def _undescribed(told: Iterable[FactModel]) -> list[str]:
    """What a breach's notifications must describe together, and none of them does (art. 14.2.1 (11))."""
    described = {name for data in told for name in _DESCRIBED if getattr(data, name, None) is not None}
    return [name for name in _DESCRIBED if name not in described]


def _relation_data(case: Case) -> Iterator[Duty]:
    """Once the contract ends: the year for which data on the relation are kept, and that they go after it.

    They must go when they may, by every reading (``greffe erase``): what is erased does not come back.
    """
    account, as_of, readings = case.question.account, case.question.as_of, case.question.readings
    ending, holds = case.ending, tuple(holds_of(case))
    if ending.last_day(readings) is None:
        return
    standing = [hold.fact.subject for hold in holds if hold.stands(as_of)]
    note = f"a legal hold stands: {', '.join(standing)}" if standing else None
    erased, until = act_of(_relation_erased(case)), relation_kept_until(ending, holds, readings)
    kept = relation_data_kept(ending, erased, holds, as_of, readings)
    what, delay = "keep the personal data of the relation", None if until is None else Delay.until(until)
    yield Duty(account, "outscale", what, kept, delay, note=note if kept.value == "open" else None)
    since = relation_erasable_from(ending, holds)
    if erased is not None or (since is not None and as_of >= since):
        matter = Matter(None, None, erased, ending.reasons)
        status = relation_data_erased(matter, as_of)
        duty = Duty.of(account, "outscale", "erase the personal data of the relation", matter, status)
        yield replace(duty, note=note if erased is None else None)


def _relation_erased(case: Case) -> Recorded | None:
    """The first erasure of the relation's data after the contract: one before it left what came later."""
    for fact in case.subjects.get(case.question.account, []):
        of_relation = isinstance(fact.data, PersonErased) and "relation" in fact.data.classes
        if of_relation and fact.legal_time >= case.over_from:
            return fact
    return None
