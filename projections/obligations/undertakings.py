"""Duties beside the service: secrets, security, compliance, references, resale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from ledger.contract.clauses.duty import Delay, Duty, Matter, Who, first_in_order
from ledger.contract.clauses.undertakings import (
    Citation,
    citation_allowed,
    conflict_declared,
    derogatory_contract_needed,
    disclosure_told,
    evidence_kept,
    flaw_closed,
    incident_communicated,
    incident_resolved,
    indirect_client_accepted,
    logs_kept,
    logs_until,
    no_controlled_export,
    no_corruption,
    regulated_data_declared,
    risk_analysed,
    secret_kept,
    secret_until,
)
from ledger.facts.agreements import ContractAccepted
from ledger.facts.compliance import Citation as Cited
from ledger.facts.compliance import (
    ConfidenceDisclosed,
    DisclosureTold,
    Finding,
    RegulatedData,
    RegulatedDataDeclared,
)
from ledger.facts.recorded import Recorded
from ledger.facts.security import SecurityIncident
from projections.days import instant_of
from projections.obligations.case import Case, act_of, first

_OTHER: Final[dict[Who, Who]] = {"client": "outscale", "outscale": "client"}
_NEED_DEROGATION = frozenset({"health", "vital_importance"})

TYPES = frozenset(
    {
        "confidence.disclosed",
        "security_incident.found",
        "security_incident.communicated",
        "security_incident.closed",
        "flaw.reported",
        "flaw.closed",
        "corruption.found",
        "conflict.declared",
        "export_control.found",
        "disclosure.ordered",
        "disclosure.told",
        "regulated_data.declared",
        "regulated_data.assessed",
        "citation.noticed",
        "citation.agreed",
        "citation.refused",
        "reseller.engaged",
        "reseller.terms_accepted",
    }
)


def duties(case: Case) -> Iterator[Duty]:
    """In the order of the articles: 1, 8, 9.1, 12.3 and 29, 14.1, 16, 17, 21.3, 27."""
    yield from _resale(case)
    for facts in case.opened_by("security_incident.found"):
        yield from _incident(case, facts)
    for facts in case.opened_by("regulated_data.declared"):
        yield from _regulated(case, facts)
    yield from _citation(case)
    for facts in case.opened_by("disclosure.ordered"):
        yield _disclosure(case, facts)
    for facts in case.opened_by("confidence.disclosed"):
        yield _secret(case, facts[0])
    for facts in case.opened_by("export_control.found"):
        matter = Matter(facts[0])
        what = "keep data under export control out"
        yield Duty(facts[0].subject, "client", what, no_controlled_export(matter))
    for facts in case.opened_by("flaw.reported"):
        yield from _flaw(case, facts)
    yield from _probity(case)


def _resale(case: Case) -> Iterator[Duty]:
    history = case.subjects.get(case.question.account, [])
    engaged = first(history, "reseller.engaged")
    if engaged is None:
        return
    consumed = case.question.agreement.first_consumed
    accepted = [first(history, "reseller.terms_accepted", "contract.accepted")]
    accepted += [case.dossier.first.get("order_form.accepted")]
    acts = [act for fact in accepted if (act := act_of(fact)) is not None]
    delay = None if consumed is None else Delay.until(consumed[1])
    because = () if consumed is None else (consumed[0],)
    matter = Matter(engaged, delay, first_in_order(acts), because)
    status = indirect_client_accepted(matter, case.question.as_of)
    duty = Duty.of(engaged.subject, "client", "accept the terms before consuming", matter, status)
    yield replace(duty, note="the reseller answers for it")


def _incident(case: Case, facts: list[Recorded]) -> Iterator[Duty]:
    if not _concerned(case, facts):
        return
    found, as_of = facts[0], case.question.as_of
    tell = Matter(found, None, act_of(_for_us(case, facts, "security_incident.communicated")))
    yield Duty.of(
        found.subject,
        "outscale",
        "tell the client of the security incident without delay",
        tell,
        incident_communicated(tell, as_of),
    )
    close = Matter(found, None, act_of(_for_us(case, facts, "security_incident.closed")))
    yield Duty.of(
        found.subject,
        "outscale",
        "deal with the security incident to its end",
        close,
        incident_resolved(close, as_of),
    )
    logs = Matter(found, logs_until(found.legal_time, case.question.terms))
    yield Duty.of(found.subject, "outscale", "keep its event logs", logs, logs_kept(logs, as_of))
    evidence = Matter(found)
    kept = evidence_kept(evidence)
    yield Duty.of(found.subject, "outscale", "keep the evidence of it", evidence, kept)


def _concerned(case: Case, facts: list[Recorded]) -> bool:
    """Whether an incident is this account's: one that names it, or that names none and struck its client."""
    if _names(facts[0]):
        return any(case.question.account in _names(fact) for fact in facts)
    closed = first(facts, "security_incident.closed")
    return case.client_during(facts[0].legal_time, None if closed is None else closed.legal_time)


def _for_us(case: Case, facts: list[Recorded], kind: str) -> Recorded | None:
    """The first fact of a type that is about this account: it names it, or nobody."""
    return next(
        (
            fact
            for fact in facts
            if fact.type == kind and (not _names(fact) or case.question.account in _names(fact))
        ),
        None,
    )


def _names(fact: Recorded) -> list[str]:
    return fact.data.accounts if isinstance(fact.data, SecurityIncident) else []


def _flaw(case: Case, facts: list[Recorded]) -> Iterator[Duty]:
    reported, closed = facts[0], first(facts, "flaw.closed")
    if case.client_during(reported.legal_time, None if closed is None else closed.legal_time):
        matter = Matter(reported, None, act_of(closed))
        status = flaw_closed(matter, case.question.as_of)
        yield Duty.of(reported.subject, "outscale", "deal with the flaw", matter, status)


def _regulated(case: Case, facts: list[Recorded]) -> Iterator[Duty]:
    declared, as_of = facts[0], case.question.as_of
    data = declared.data
    used = instant_of(data.used_from) if isinstance(data, RegulatedDataDeclared) else None
    delay = None if used is None else Delay.until(used)
    told = Matter(declared, delay, act_of(declared))
    yield Duty.of(
        declared.subject,
        "client",
        "declare regulated data before using them",
        told,
        regulated_data_declared(told, as_of),
    )
    analysed = Matter(declared, delay, act_of(first(facts, "regulated_data.assessed")))
    yield Duty.of(
        declared.subject, "client", "analyse the risk beforehand", analysed, risk_analysed(analysed, as_of)
    )
    shown = next((fact for fact in facts if _needs_derogation(fact)), None)
    if shown is not None:
        because = () if shown is declared else (shown,)
        host = Matter(declared, delay, act_of(_derogatory(case)), because)
        status = derogatory_contract_needed(host, as_of)
        yield Duty.of(declared.subject, "client", "host them under a derogatory contract only", host, status)


def _needs_derogation(fact: Recorded) -> bool:
    return isinstance(fact.data, RegulatedData) and fact.data.nature in _NEED_DEROGATION


def _derogatory(case: Case) -> Recorded | None:
    """The first derogatory contract that was accepted."""
    for fact in case.subjects.get(case.question.account, []):
        if isinstance(fact.data, ContractAccepted) and fact.data.route == "derogatory":
            return fact
    return None


def _citation(case: Case) -> Iterator[Duty]:
    """One row for each party that would name the other, as far as anything was said of it."""
    facts = case.subjects.get(f"{case.question.account}/citation", [])
    note = {"met": "naming the other party is allowed", "missed": "refused: no longer allowed"}
    for who, said in _directions(facts).items():
        citation = Citation(*(said.get(f"citation.{kind}") for kind in ("noticed", "agreed", "refused")))
        status = citation_allowed(citation, case.question.readings)
        yield Duty(
            facts[0].subject,
            who,
            "have the other party's agreement before naming it",
            status,
            met_by=citation.agreed if status.value == "met" else None,
            note=note.get(status.value, "naming the other party is not allowed yet"),
        )


def _directions(facts: list[Recorded]) -> dict[Who, dict[str, Recorded]]:
    """By the party that would name the other, the last fact of each kind.

    Who gives notice is the one that names; who agrees or refuses is the one that is named. An answer that
    does not say whose it is answers the notice before it.
    """
    said: dict[Who, dict[str, Recorded]] = {}
    asking: Who = "outscale"
    for fact in facts:
        by = fact.data.by if isinstance(fact.data, Cited) else None
        if fact.type == "citation.noticed":
            names = asking = by or "outscale"
        else:
            names = asking if by is None else _OTHER[by]
        said.setdefault(names, {})[fact.type] = fact
    return said


def _disclosure(case: Case, facts: list[Recorded]) -> Duty:
    ordered = facts[0]
    tellings = [fact for fact in facts if isinstance(fact.data, DisclosureTold)]
    why_not = {fact: fact.data.why_not for fact in tellings if isinstance(fact.data, DisclosureTold)}
    told = next((fact for fact in tellings if why_not[fact] is None), None)
    untold = tuple(fact for fact in tellings if why_not[fact] is not None)
    matter = Matter(ordered, None, act_of(told), untold)
    status = disclosure_told(matter, case.question.as_of)
    duty = Duty.of(ordered.subject, "outscale", "tell the client of the order at once", matter, status)
    return replace(duty, note=next((why_not[fact] for fact in untold), None))


def _secret(case: Case, disclosed: Recorded) -> Duty:
    ended = case.ending.last_day(case.question.readings)
    delay = None if ended is None else secret_until(ended, case.question.terms)
    by = disclosed.data.by if isinstance(disclosed.data, ConfidenceDisclosed) else None
    holder: Who = "client" if by == "outscale" else "outscale"
    matter = Matter(disclosed, delay, because=() if ended is None else case.ending.reasons)
    duty = Duty.of(disclosed.subject, holder, "keep the information secret", matter, secret_kept(matter))
    return replace(duty, note="until then at the least, and as long as it is not public")


def _probity(case: Case) -> Iterator[Duty]:
    for facts in case.opened_by("corruption.found"):
        status = no_corruption(Matter(facts[0]))
        allowed = "OUTSCALE may terminate for fault, with immediate effect"
        yield Duty(facts[0].subject, "client", "keep to the laws against corruption", status, note=allowed)
    for facts in case.opened_by("conflict.declared"):
        by_outscale = isinstance(facts[0].data, Finding) and facts[0].data.by == "outscale"
        matter = Matter(facts[0], None, None if by_outscale else act_of(facts[0]))
        status = conflict_declared(matter, case.question.as_of)
        duty = Duty.of(facts[0].subject, "client", "declare a conflict of interest at once", matter, status)
        unsaid = "OUTSCALE came upon it before the client declared it" if by_outscale else None
        yield replace(duty, note=unsaid)
