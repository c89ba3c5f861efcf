"""Duties on personal data (art. 14.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ledger.contract.clauses.duty import Delay, Duty, Matter, first_in_order
from ledger.contract.clauses.endings import decisive
from ledger.contract.clauses.notification import why_invalid
from ledger.contract.clauses.privacy import (
    breach_notified,
    relation_data_erased,
    relation_data_until,
    request_answered,
    request_passed_on,
    subcontractors_told,
    time_to_answer_request,
    time_to_tell_of_breach,
)
from ledger.facts.privacy import SubcontractorsChanged
from ledger.facts.recorded import Recorded
from projections.days import instant_of
from projections.obligations.case import Case, act_of, first

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


def duties(case: Case) -> Iterator[Duty]:
    """Subcontractors, breaches, requests, and what is kept after the end."""
    for facts in case.opened_by("subcontractors.changed"):
        yield _subcontractors(case, facts[0])
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


def _subcontractors(case: Case, changed: Recorded) -> Duty:
    data = changed.data
    effective = instant_of(data.effective) if isinstance(data, SubcontractorsChanged) else None
    told = _told(case, changed.subject, ("email", "interface"))
    matter = Matter(changed, Delay.until(effective or changed.legal_time), act_of(told))
    status = subcontractors_told(matter, case.question.as_of)
    return Duty.of(
        changed.subject, "outscale", "tell of the change of subcontractors before it", matter, status
    )


def _request(case: Case, facts: list[Recorded]) -> Iterator[Duty]:
    received, as_of, readings = facts[0], case.question.as_of, case.question.readings
    terms = case.question.terms
    delay = time_to_answer_request(received.legal_time, terms, readings)
    matter = Matter(received, delay, act_of(first(facts, "rights_request.answered")))
    status = request_answered(received.legal_time, matter, terms, as_of, readings)
    yield Duty.of(received.subject, "outscale", "answer the request", matter, status)
    passed_on = _told(case, received.subject, ("email",))
    if passed_on is not None:
        told = Matter(received, None, act_of(passed_on))
        yield Duty.of(
            received.subject, "outscale", "pass the request on", told, request_passed_on(told, as_of)
        )


def _breach(case: Case, facts: list[Recorded]) -> Duty:
    found = facts[0]
    delay = time_to_tell_of_breach(found.legal_time, case.question.terms)
    notified = [fact for fact in facts if fact.type == "breach.notified"]
    wrong = {fact.position: case.carried(fact, "outscale") for fact in notified}
    acts = [act for fact in notified if wrong[fact.position] is None and (act := act_of(fact)) is not None]
    matter = Matter(found, delay, first_in_order(acts), tuple(notified))
    status = breach_notified(matter, case.question.as_of)
    duty = Duty.of(found.subject, "outscale", "notify the personal-data breach by mail", matter, status)
    said = next((why for why in wrong.values() if why is not None), None)
    return replace(duty, note=f"irregular: {said}") if said is not None and not acts else duty


def _relation_data(case: Case) -> Iterator[Duty]:
    """Once the contract ends, the year after which data on the relation go."""
    terms, readings = case.question.terms, case.question.readings
    ended = decisive(case.dossier.relation(), terms, readings)
    if ended is None or ended[1].effective is None:
        return
    erased = first(case.subjects.get(case.question.account, []), "person.erased")
    delay = relation_data_until(ended[1].effective, terms)
    matter = Matter(ended[0].fact, delay, act_of(erased))
    status = relation_data_erased(matter, case.question.as_of)
    yield Duty.of(
        case.question.account, "outscale", "erase the personal data of the relation", matter, status
    )
