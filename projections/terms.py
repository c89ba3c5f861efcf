"""Which terms bind an account, since when and why, and which special conditions prevail (arts. 3.3, 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ledger.contract.clauses.agreement import (
    Accepted,
    Agreement,
    Condition,
    Document,
    Publication,
    Refusal,
    condition_prevails,
    terms_in_force,
    version_acceptance,
    version_binds_from,
    why_not_bound,
)
from ledger.contract.clauses.notification import why_invalid, why_no_effect
from ledger.contract.finding import Readings
from ledger.contract.terms import CURRENT
from ledger.contract.terms.history import BEGINNING
from ledger.facts.agreements import (
    ContractAccepted,
    OrderForm,
    SpecialCondition,
    TermsPublished,
    TermsRefused,
)
from ledger.facts.compliance import ResellerEngaged
from ledger.facts.recorded import Recorded
from projections.days import instant_of
from projections.dossier import DOSSIER_TYPES, Dossier
from projections.notifications import Sent
from projections.question import Question
from projections.usage import consumption_began


@dataclass
class Agreements:
    """What tells which terms bind an account, as facts come in."""

    dossier: Dossier = field(default_factory=Dossier)
    published: list[tuple[Recorded, TermsPublished]] = field(default_factory=list)
    refused: list[tuple[Recorded, TermsRefused]] = field(default_factory=list)
    accepted: list[Recorded] = field(default_factory=list)
    resold: bool = False
    signed: dict[str, list[SpecialCondition]] = field(default_factory=dict)

    def take(self, fact: Recorded) -> None:
        """Add a fact."""
        self.dossier.take(fact)
        match fact.data:
            case TermsPublished() as data:
                self.published.append((fact, data))
            case TermsRefused() as data:
                self.refused.append((fact, data))
            case ContractAccepted():
                self.accepted.append(fact)
            case ResellerEngaged():
                self.resold = True
            case OrderForm(clauses=clauses):
                self.signed[fact.subject] = clauses or self.signed.get(fact.subject, [])
                if fact.type == "order_form.accepted":
                    self.accepted.append(fact)

    def agreement(self, readings: Readings) -> Agreement:
        """What the clauses take; consumption is not known yet."""
        publications = tuple(self._publications(readings))
        return Agreement(
            tuple(self._accepted(fact, publications) for fact in self.accepted),
            publications,
            tuple(self._refusals(readings)),
            tuple(condition for fact in self.accepted for condition in self._conditions(fact)),
            tuple(self._terminations(readings)),
            resold=self.resold,
        )

    def _publications(self, readings: Readings) -> Iterable[Publication]:
        for fact, data in self.published:
            notices = tuple(
                (sent.fact, sent.fact.legal_time)
                for sent in self.dossier.post.sent.values()
                if sent.about == fact.subject and self._valid(sent, readings)
            )
            starts = fact.legal_time if data.effective is None else instant_of(data.effective)
            yield Publication(fact, data.version, starts, data.substantial, notices)

    def _valid(self, sent: Sent, readings: Readings) -> bool:
        post = self.dossier.post
        return why_invalid(post.notification(sent), post.known_addresses(), readings) is None

    def _accepted(self, fact: Recorded, publications: Iterable[Publication]) -> Accepted:
        data = fact.data
        if isinstance(data, ContractAccepted):
            return Accepted(fact, fact.legal_time, data.terms, data.on_demand)
        public = [row for row in publications if row.starts <= fact.legal_time]
        version = max(public, key=lambda row: row.starts).version if public else CURRENT
        return Accepted(fact, fact.legal_time, version, on_demand=True)

    def _conditions(self, fact: Recorded) -> Iterable[Condition]:
        data = fact.data
        document: Document = "order_form"
        said = self.signed.get(fact.subject, [])
        if isinstance(data, ContractAccepted):
            document, said = data.route, data.special_conditions
        for row in said:
            yield Condition(fact, fact.legal_time, document, row.topic, row.value, row.derogates)

    def _refusals(self, readings: Readings) -> Iterable[Refusal]:
        for fact, data in self.refused:
            yield Refusal(fact, data.version, self._by_mail(fact, readings))

    def _terminations(self, readings: Readings) -> Iterable[Recorded]:
        for termination in self.dossier.relation().terminations:
            fact = termination.fact
            if termination.by == "client" and isinstance(fact, Recorded) and self._by_mail(fact, readings):
                yield fact

    def _by_mail(self, fact: Recorded, readings: Readings) -> bool:
        """Whether the client's mail carried it (row 28: 5.1's refusal, 4)."""
        letter, addresses = self.dossier.letter(fact.mail), self.dossier.post.known_addresses()
        return why_no_effect(letter, "client", fact.legal_time, addresses, readings) is None


def with_consumption(
    agreement: Agreement, consumed_since: Callable[[datetime], Recorded | None]
) -> Agreement:
    """The same agreement, with what the client consumed after each version could bind it."""
    starts = {row.opposable_from for row in agreement.publications} - {None}
    known = {start: consumed_since(start) for start in starts if start is not None}
    first = consumed_since(BEGINNING) if agreement.resold else None
    consumed = None if first is None else (first, consumption_began(first))
    return replace(agreement, consumed_since=known.get, first_consumed=consumed)


class TermsBinding:
    """The versions that were published, which bind the account from when, and its special conditions.

    Before the account is opened nothing binds.
    """

    name = "terms"
    types = DOSSIER_TYPES | frozenset(
        {"terms.published", "terms.refused", "order_form.signed", "reseller.engaged"}
    )

    def answer(self, facts: Iterable[Recorded], question: Question) -> dict[str, Any]:  # noqa: ARG002 - the question was made from them
        """The ``result``: the version in force, every version published, and every special condition."""
        agreement = question.agreement
        return {
            "in_force": terms_in_force(agreement, question.as_of),
            "versions": [_version(row, agreement) for row in agreement.publications],
            "conditions": [_condition(row, question) for row in agreement.conditions],
        }


def _version(publication: Publication, agreement: Agreement) -> dict[str, Any]:
    return {
        "subject": publication.fact.subject,
        "version": publication.version,
        "effective": publication.starts,
        "substantial": publication.substantial,
        "binds_from": version_binds_from(publication, agreement),
        "acceptance": version_acceptance(publication, agreement),
        "why_not": why_not_bound(publication, agreement),
    }


def _condition(condition: Condition, question: Question) -> dict[str, Any]:
    terms = question.terms.at(condition.since)
    return {
        "subject": condition.fact.subject,
        "document": condition.document,
        "topic": condition.topic,
        "value": condition.value,
        "derogates": condition.derogates,
        "since": condition.since,
        "prevails": condition_prevails(condition, terms),
        "sets_parameter": condition.value is not None and terms.has(condition.topic),
    }


TERMS = TermsBinding()
