"""Service levels: what was promised and observed, penalties, and claims (arts. 8, 10.1, 11, 20, 24, 25)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

from ledger import instants
from ledger.contract.clauses.catalogue import billing_units, service_commitments
from ledger.contract.clauses.claims import (
    Claims,
    PenaltyClaim,
    Wanted,
    claim_credit,
    earns,
    expires_at,
    standing,
)
from ledger.contract.clauses.downtime import Maintenance, maintenance_notice
from ledger.contract.clauses.levels import (
    Case,
    Figure,
    Levels,
    Routing,
    applicability,
    observed_availability,
)
from ledger.contract.clauses.penalties import (
    Bill,
    Billing,
    Blocking,
    capped_penalty,
    total_penalty,
    window_penalty,
)
from ledger.contract.clauses.reserves import Reserve, Reserves, time_to_claim
from ledger.contract.clauses.windows import Interval
from ledger.contract.readings import check
from ledger.contract.terms import Terms
from ledger.facts.invoices import InvoiceCredited, InvoiceIssued
from ledger.facts.levels import SlaClaimed
from ledger.facts.recorded import Recorded
from projections.acceptance import ACCEPTANCE, RESERVE_TYPES, Deliveries, Notices, claim_of
from projections.credits import first_currency
from projections.invoices import INVOICE_TYPES, File, Files, net_of, paris_day
from projections.notifications import ADDRESS_TYPES, NOTIFICATION_TYPES, Post
from projections.outages import PLACE_TYPES, TROUBLE_TYPES, Metered, Places, Troubles
from projections.question import Question
from projections.usage import CONSUMPTION_TYPES

_ONE_DAY = timedelta(days=1)
_INSTANT = timedelta(microseconds=1)
_SUSPENSIONS = frozenset({"suspension.imposed", "suspension.lifted"})


@dataclass
class _Gathered:
    """Everything that service levels rest on, as facts come in."""

    question: Question
    post: Post = field(default_factory=Post)
    places: Places = field(default_factory=Places)
    claimed: dict[str, Recorded] = field(default_factory=dict)
    granted: dict[str, list[Recorded]] = field(default_factory=dict)
    suspended: dict[str, list[Recorded]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        terms = self.question.terms.at(self.question.as_of)
        self.files = Files(self.question.terms)
        self.deliveries = Deliveries(replace(self.question, limit=0, after=None))
        self.notices = Notices(self.question)
        self.troubles, self.metered = Troubles(terms), Metered(terms, self.places)

    def take(self, fact: Recorded) -> None:
        """Add a fact to whatever it bears on."""
        if fact.type in CONSUMPTION_TYPES:
            self.deliveries.take(fact)
            self.metered.take(fact)
            return
        self.post.take(fact)
        self.places.take(fact)
        if fact.type in RESERVE_TYPES:
            self.notices.take(fact)
        if fact.type in INVOICE_TYPES:
            self.files.take(fact)
        if fact.type in TROUBLE_TYPES:
            self.troubles.take(fact)
        elif fact.type in _SUSPENSIONS:
            self.suspended.setdefault(fact.subject, []).append(fact)
        elif fact.type == "price.published":
            self.metered.price(fact)
        elif fact.type == "sla.claimed":
            self.claimed.setdefault(fact.subject, fact)

    def levels(self) -> Levels:
        """Reserves and all that tells what they amount to."""
        terms, as_of = self.question.terms, self.question.as_of
        reserves = Reserves(self.notices.reserves(), self.deliveries.reopened(), terms, as_of)
        return Levels(
            Case(
                reserves,
                tuple(self._routing(reserve) for reserve in reserves.all),
                terms,
                as_of,
                tuple(self.troubles.incidents()),
                tuple(self.maintenances()),
                self.post.known_addresses(),
                self.places.zones(),
                self.metered.use(as_of),
            )
        )

    def _routing(self, reserve: Reserve) -> Routing:
        terms = self.question.terms.at(self.question.as_of)
        names = terms.whole_of(reserve.service) if reserve.service is not None else frozenset[str]()
        named = {
            service.commitment
            for fact in self.claimed.values()
            if isinstance(fact.data, SlaClaimed) and reserve.fact.subject in fact.data.reserves
            for service in fact.data.services
        }
        return Routing(reserve, self.places.place(names, reserve.resource_id), frozenset(named))

    def maintenances(self) -> list[Maintenance]:
        """Maintenances in the order in which they were announced."""
        return list(self.troubles.maintenances(self.post))

    def billing(self) -> Billing:
        """Revenue, in euros if any invoice is, else in the first currency; lateness in whatever currency."""
        bills = [bill_of(file) for file in self.files.all()]
        imposed = [facts for facts in self.suspended.values() if _under_article_7(facts)]
        return Billing(
            tuple(bills),
            self.question.terms,
            self.question.as_of,
            tuple(_blocking(facts, self.question) for facts in imposed),
            tuple(fact for facts in imposed for fact in facts),
            first_currency(bill.invoice for bill in bills),
        )

    def claims(self, levels: Levels) -> Claims:
        """Claims in order of legal time."""
        terms = self.question.terms.at(self.question.as_of)
        known = {reserve.fact.subject for reserve in levels.case.reserves.all}
        rows = tuple(
            _claim(fact, fact.data, known, terms)
            for fact in self.claimed.values()
            if isinstance(fact.data, SlaClaimed)
        )
        return Claims(rows, levels, self.billing())


def _under_article_7(facts: list[Recorded]) -> bool:
    return any(fact.fields["data"].get("ground") == "art7" for fact in facts)


def _blocking(facts: list[Recorded], question: Question) -> Blocking:
    imposed = next(fact for fact in facts if fact.type == "suspension.imposed")
    ends = [fact.legal_time for fact in facts if fact.type == "suspension.lifted"]
    terms = question.terms.at(question.as_of)
    scope: list[str] = imposed.fields["data"].get("scope", [])
    return Blocking(
        Interval(imposed.legal_time, min(ends, default=question.as_of + _INSTANT)),
        frozenset(scope) | frozenset(terms.service_named(name) for name in scope),
    )


def _claim(fact: Recorded, data: SlaClaimed, known: set[str], terms: Terms) -> PenaltyClaim:
    period = claim_of(fact)
    return PenaltyClaim(
        fact,
        fact.legal_time,
        fact.not_after,
        period.first_day,
        period.last_day,
        tuple(
            Wanted(
                row.commitment,
                None if row.service is None else terms.service_named(row.service),
                row.resource_id,
            )
            for row in data.services
        ),
        frozenset(known & set(data.reserves)),
        data.calculation is not None,
    )


def bill_of(file: File) -> Bill:
    """An invoice as revenue: its net amount, less credit notes without VAT, in its own period.

    Without ``net`` it is the total less VAT, or the sum of its lines; a credit note without its own takes
    the invoice's share. An invoice that names no period is of the calendar month before it was issued.
    """
    data, invoice = file.issued.data, file.invoice()
    if not isinstance(data, InvoiceIssued):
        raise TypeError(f"{file.issued.subject} was opened by {file.issued.type}")
    net = net_of(data)
    share = net / Fraction(data.total) if data.total else Fraction(1)
    for fact in file.history:
        note = fact.data
        if isinstance(note, InvoiceCredited):
            net -= Fraction(note.amount) * share if note.net is None else Fraction(note.net)
    if data.period is None:
        issued = data.issue_date or instants.paris_date(file.issued.legal_time)
        last = issued.replace(day=1) - _ONE_DAY
        return Bill(invoice, last.replace(day=1), last, net)
    return Bill(invoice, paris_day(data.period.from_), _last_day(data.period.to), net)


def _last_day(value: date) -> date:
    """A day as it stands; of an instant, the Paris day of the one just before it."""
    return instants.paris_date(value - _INSTANT) if isinstance(value, datetime) else value


class ServiceLevels:
    """Service levels of an account.

    One row for each commitment, resource and window that a reserve is about, whatever it is worth. Beside
    the fields of the interface a window has its length, until when penalties may be claimed for it, and
    whether they are lost for late payment; ``maintenances`` says which were announced in time to this
    account, and ``catalogue`` which commitments and billing units apply to each service.
    """

    name = "sla"
    types = (
        ACCEPTANCE.types
        | INVOICE_TYPES
        | ADDRESS_TYPES
        | NOTIFICATION_TYPES
        | TROUBLE_TYPES
        | PLACE_TYPES
        | _SUSPENSIONS
        | frozenset({"price.published"})
    )

    def answer(self, facts: Iterable[Recorded], question: Question) -> dict[str, Any]:
        """The ``result``.

        Raises:
            WrongCallError: a reading does not exist.
        """
        check(question.readings)
        gathered = _Gathered(question)
        for fact in facts:
            gathered.take(fact)
        levels = gathered.levels()
        claims = gathered.claims(levels)
        billing, readings = claims.billing, question.readings
        return {
            "windows": [_window(row, levels, billing, question) for row in levels.rows(readings)],
            "total_penalty": total_penalty(levels, billing, readings),
            "capped_penalty": capped_penalty(levels, billing, readings),
            "claims": [_claimed(claim, claims, question) for claim in claims.all],
            "maintenances": [_maintenance(row, gathered, question) for row in levels.case.maintenances],
            "catalogue": _catalogue(question),
        }


def _window(row: Figure, levels: Levels, billing: Billing, question: Question) -> dict[str, Any]:
    readings = question.readings
    ends = time_to_claim(row.window.last_day, question.terms, readings)
    span = row.window.span
    return {
        "commitment": row.target.commitment,
        "service": row.target.service,
        "resource_id": row.target.resource_id,
        "period": {"from": row.window.first_day, "to": row.window.last_day},
        "promised": row.commitment.promised,
        "observed": observed_availability(row, levels, readings),
        "counted_downtime_seconds": instants.exact_seconds(row.downtime.lost),
        "window_seconds": instants.exact_seconds(span.end - span.start),
        "excluded": [part.to_json() for part in row.downtime.excluded],
        "applies": applicability(row, levels.case),
        "penalty": window_penalty(row, levels, billing, readings),
        "lost": billing.late_during(row, readings),
        "act_by": ends.act_by,
        "forfeit_after": ends.forfeit_after,
    }


def _claimed(claim: PenaltyClaim, claims: Claims, question: Question) -> dict[str, Any]:
    status = standing(claim, claims, question.readings)
    return {
        "subject": claim.fact.subject,
        "stamped_at": claim.stamped_at,
        "status": status,
        "credit": claim_credit(claim, claims, question.readings),
        "expires_at": expires_at(claim.stamped_at, question.terms) if earns(status.value) else None,
    }


def _maintenance(row: Maintenance, gathered: _Gathered, question: Question) -> dict[str, Any]:
    """A maintenance, whether it excuses, and by which day it had to be announced."""
    begins, addresses = row.announced_from, gathered.post.known_addresses()
    days = None if begins is None else question.terms.at(begins).maintenance.notice_clear_days
    return {
        "subject": row.trouble.facts[0].subject,
        "from": begins,
        "to": row.announced_to,
        "urgent": row.urgent,
        "announced_at": min((notice.left_at for notice in row.notices), default=None),
        "announce_by": None
        if begins is None or days is None
        else instants.latest_notice_date(instants.paris_date(begins), days),
        "status": maintenance_notice(row, addresses, question.terms, question.readings),
    }


def _catalogue(question: Question) -> list[dict[str, Any]]:
    terms = question.terms.at(question.as_of)
    return [
        {
            "service": service,
            "article": row.article,
            "commitments": service_commitments(service, terms),
            "units": billing_units(service, terms),
        }
        for service, row in terms.services.items()
    ]


SLA = ServiceLevels()
