"""Which terms bind an account, since when and why, and which special conditions prevail (arts. 3.3, 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ledger import instants
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
    version_ordered,
    why_not_bound,
)
from ledger.contract.clauses.notification import ANY_MAIL, Form, why_invalid, why_no_effect
from ledger.contract.finding import Readings
from ledger.contract.terms import load
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


@dataclass
class Agreements:
    """What tells which terms bind an account, as facts come in."""

    dossier: Dossier = field(default_factory=Dossier)
    published: list[tuple[Recorded, TermsPublished]] = field(default_factory=list)
    refused: list[tuple[Recorded, TermsRefused]] = field(default_factory=list)
    accepted: list[Recorded] = field(default_factory=list)
    resold: bool = False
    signed: dict[str, list[SpecialCondition]] = field(default_factory=dict)
    months: dict[str, int] = field(default_factory=dict)

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
            case OrderForm(clauses=clauses, duration_months=months):
                self.signed[fact.subject] = clauses or self.signed.get(fact.subject, [])
                if months is not None:
                    self.months[fact.subject] = months
                if fact.type == "order_form.accepted":
                    self.accepted.append(fact)

    def agreement(self, readings: Readings) -> Agreement:
        """What the clauses take; consumption is not known yet."""
        publications = tuple(self._publications(readings))
        return Agreement(
            tuple(self._acceptances(publications)),
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

    def _acceptances(self, publications: Sequence[Publication]) -> list[Accepted]:
        found: list[Accepted] = []
        for fact in self.accepted:
            at = fact.legal_time
            if isinstance(fact.data, ContractAccepted):
                found.append(Accepted(fact, at, fact.data.terms, fact.data.on_demand))
            else:
                version = version_ordered(at, found, publications)
                found.append(Accepted(fact, at, version, committed_until=self._committed_until(fact)))
        return found

    def _committed_until(self, ordered: Recorded) -> datetime | None:
        """The first instant after the months that an order form fixes, counted from its acceptance."""
        months = self.months.get(ordered.subject)
        return instants.end_of_months(instants.paris_date(ordered.legal_time), months) if months else None

    def _conditions(self, fact: Recorded) -> Iterable[Condition]:
        data = fact.data
        document: Document = "order_form"
        order: Recorded | None = fact
        said = self.signed.get(fact.subject, [])
        if isinstance(data, ContractAccepted):
            document, said = data.route, data.special_conditions
            order = self._first_order() if document == "order_form" else None
        since = fact.legal_time if order is None else max(fact.legal_time, order.legal_time)
        for row in said:
            yield Condition(fact, since, document, row.topic, row.value, row.derogates, order)

    def _first_order(self) -> Recorded | None:
        return next((fact for fact in self.accepted if fact.type == "order_form.accepted"), None)

    def _refusals(self, readings: Readings) -> Iterable[Refusal]:
        for fact, data in self.refused:
            yield Refusal(fact, data.version, self._by_mail(fact, readings))

    def _terminations(self, readings: Readings) -> Iterable[Recorded]:
        """The client's terminations in the conditions of art. 4."""
        form = Form(own_address=True, mailbox=load().termination.mailbox)
        for termination in self.dossier.relation().terminations:
            fact = termination.fact
            at_will = termination.by == "client" and termination.ground == "convenience"
            if not at_will or termination.names_others or not isinstance(fact, Recorded):
                continue
            if self._by_mail(fact, readings, form):
                yield fact

    def _by_mail(self, fact: Recorded, readings: Readings, form: Form = ANY_MAIL) -> bool:
        """Whether the client's mail carried it, in the form asked for (row 28: 5.1's refusal, 4)."""
        letter, addresses = self.dossier.letter(fact.mail), self.dossier.post.known_addresses()
        return why_no_effect(letter, "client", fact.legal_time, addresses, readings, form) is None


def with_consumption(
    agreement: Agreement, consumed_since: Callable[[datetime], Recorded | None]
) -> Agreement:
    """The same agreement, with what the client consumed after each version could bind it."""
    starts = {row.opposable_from for row in agreement.publications} - {None}
    known = {start: consumed_since(start) for start in starts if start is not None}
    return replace(agreement, consumed_since=known.get)


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
        "prevails": condition_prevails(condition, question.agreement, terms),
        "sets_parameter": condition.value is not None and terms.takes(condition.topic, condition.value),
    }


TERMS = TermsBinding()
