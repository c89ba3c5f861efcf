"""What is still contestable, owed and late, invoice by invoice (art. 15.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from ledger import instants, money
from ledger.contract import rates as published_rates
from ledger.contract.clauses.balance import Spending
from ledger.contract.clauses.contestation import (
    Contested,
    Dispute,
    Settlement,
    accepted_amount,
    contestable_until,
    dispute_standing,
    disputed_amount,
    invoice_acceptance,
)
from ledger.contract.clauses.payment import (
    Invoice,
    Movement,
    Segment,
    interest_segments,
    invoice_payment,
    late_indemnity,
    late_interest,
)
from ledger.contract.finding import Readings
from ledger.contract.rates import PublishedRate, Rates
from ledger.contract.readings import check, choice
from ledger.contract.terms import InForce
from ledger.errors import WrongCallError
from ledger.facts.agreements import RatePublished
from ledger.facts.invoices import (
    InvoiceCredited,
    InvoiceDisputed,
    InvoiceDisputeSettled,
    InvoiceIssued,
    InvoicePaid,
    InvoicePaymentRejected,
)
from ledger.facts.recorded import Recorded
from projections.credits import CREDIT_TYPES, Credits, paid_by_credit
from projections.question import Question

INVOICE_TYPES = frozenset(
    {
        "invoice.issued",
        "invoice.disputed",
        "invoice.dispute_settled",
        "invoice.paid",
        "invoice.payment_rejected",
        "invoice.credited",
        "rate.published",
        *CREDIT_TYPES,
    }
)
"""What tells of invoices, and of the credits that pay them."""


@dataclass
class File:
    """The facts of one invoice, as they come."""

    issued: Recorded
    history: list[Recorded] = field(default_factory=list)
    used: tuple[Movement, ...] = ()

    def contested(self) -> Contested:
        """The invoice with its disputes, as the clauses take it."""
        disputes: list[Dispute] = []
        settlements: list[Settlement] = []
        issued = self._issued()
        for fact in self.history:
            data = fact.data
            if isinstance(data, InvoiceDisputed):
                disputes.append(Dispute(fact, fact.legal_time, fact.not_after, disputed_by(data, issued)))
            elif isinstance(data, InvoiceDisputeSettled):
                settlements.append(Settlement(fact, fact.legal_time, data.outcome, data.amount))
        return Contested(self.invoice(), tuple(disputes), tuple(settlements))

    def invoice(self) -> Invoice:
        """The invoice with the movements that stand."""
        data = self._issued()
        moved = [fact for fact in self.history if not fact.type.startswith("invoice.dispute")]
        rejections = [fact for fact in moved if isinstance(fact.data, InvoicePaymentRejected)]
        return Invoice(
            self.issued,
            self.issued.legal_time,
            data.total,
            data.currency,
            data.issue_date,
            None if data.due == "on_receipt" else data.due,
            data.direct_debit,
            tuple(self._payments()),
            tuple(_credit(fact) for fact in moved if isinstance(fact.data, InvoiceCredited)),
            min((instants.paris_date(fact.legal_time) for fact in rejections), default=None),
            (*moved, *(movement.fact for movement in self.used)),
            self.used,
        )

    def _issued(self) -> InvoiceIssued:
        data = self.issued.data
        if not isinstance(data, InvoiceIssued):
            raise TypeError(f"{self.issued.subject} was opened by {self.issued.type}")
        return data

    def _payments(self) -> list[Movement]:
        """Payments that no rejection undid.

        A rejection undoes the latest payment before it, or of its instant, that bears its reference:
        the order in which facts of one instant were recorded does not matter.
        """
        standing: list[tuple[str | None, Movement]] = []
        moves = [fact for fact in self.history if isinstance(fact.data, InvoicePaid | InvoicePaymentRejected)]
        for fact in sorted(
            moves, key=lambda fact: (fact.legal_time, fact.type == "invoice.payment_rejected")
        ):
            data = fact.data
            if isinstance(data, InvoicePaid):
                day = data.value_date or instants.paris_date(fact.legal_time)
                standing.append((data.reference, Movement(fact, day, data.amount)))
            elif isinstance(data, InvoicePaymentRejected):
                refused = [row for row in standing if row[0] == data.reference]
                if refused:
                    standing.remove(refused[-1])
        return [movement for _, movement in standing]


def _credit(fact: Recorded) -> Movement:
    data = fact.data
    if not isinstance(data, InvoiceCredited):
        raise TypeError(f"{fact.type} is no credit note")
    return Movement(fact, data.date or instants.paris_date(fact.legal_time), data.amount)


@dataclass
class Files:
    """Every invoice of an account, the credits that pay them, and the rates known, as facts come in."""

    terms: InForce
    by_subject: dict[str, File] = field(default_factory=dict)
    waiting: dict[str, list[Recorded]] = field(default_factory=dict)
    published: list[PublishedRate] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.credits = Credits(self.terms)

    def take(self, fact: Recorded) -> None:
        """Add a fact; one dated before its invoice waits for it."""
        data = fact.data
        if fact.type in CREDIT_TYPES:
            self.credits.take(fact)
        elif isinstance(data, RatePublished):
            effective = paris_day(data.effective)
            self.published.append(published_rates.published_by(fact, data.reference, effective, data.rate))
        elif isinstance(data, InvoiceIssued):
            self.by_subject[fact.subject] = File(fact, self.waiting.pop(fact.subject, []))
        elif fact.subject in self.by_subject:
            self.by_subject[fact.subject].history.append(fact)
        else:
            self.waiting.setdefault(fact.subject, []).append(fact)

    def rates(self) -> Rates:
        """The rates that the program brings along, and those that facts published."""
        return published_rates.load().with_facts(self.published)

    def spending(self) -> Spending:
        """What was used of credits; asked for once every fact was taken."""
        payable = self.by_subject if self.credits.uses else {}
        return self.credits.spending({name: file.invoice() for name, file in payable.items()})

    def all(self) -> list[File]:
        """Every invoice in order of issue, with what credits paid of it."""
        if not self.credits.uses:
            return list(self.by_subject.values())
        paid = paid_by_credit(self.spending())
        return [replace(file, used=tuple(paid.get(name, ()))) for name, file in self.by_subject.items()]

    def contested(self) -> list[tuple[Recorded, Contested]]:
        """Every invoice in order of issue, beside the fact that opened it."""
        return [(file.issued, file.contested()) for file in self.all()]


def net_of(data: InvoiceIssued) -> Fraction:
    """An invoice without VAT: as it says, else the total less VAT, else the sum of its lines."""
    if data.net is not None:
        return Fraction(data.net)
    if data.vat is not None:
        return Fraction(data.total) - Fraction(data.vat)
    amounts = [line.amount for line in data.lines if line.amount is not None]
    if amounts and len(amounts) == len(data.lines):
        return Fraction(money.exact_sum(amounts))
    return Fraction(data.total)


def disputed_by(data: InvoiceDisputed, invoice: InvoiceIssued) -> Decimal | None:
    """What a dispute is of, with VAT; ``None`` when it is of the whole.

    Without an amount of its own it is what the lines that it names bill, with their share of the VAT; of the
    whole when one of them is not on the invoice or bills no amount.
    """
    net = net_of(invoice)
    if data.amount is not None or not data.lines or net <= 0:
        return data.amount
    named = [_lines_named(name, invoice) for name in data.lines]
    billed = [invoice.lines[place].amount for place in set().union(*named)]
    amounts = [amount for amount in billed if amount is not None]
    if not all(named) or len(amounts) < len(billed):
        return None
    return money.half_up_to_the_cent(Fraction(money.exact_sum(amounts)) * Fraction(invoice.total) / net)


def _lines_named(name: int | str, invoice: InvoiceIssued) -> set[int]:
    """The numbers of the lines that a dispute names by their number or by their resource."""
    return {place for place, line in enumerate(invoice.lines) if name in (place, line.resource)}


def paris_day(value: date) -> date:
    """A date as it stands, an instant as the Paris day it falls on."""
    return instants.paris_date(value) if isinstance(value, datetime) else value


class Invoices:
    """Invoices of an account in the order of their issue.

    Beside the fields of the interface a row has its ``currency`` and due day, the amounts disputed and
    irrevocably accepted (R14), the days of interest by segment, the rates that are missing, and the
    clock that its issue rests on.
    """

    name = "invoices"
    types = INVOICE_TYPES

    def answer(self, facts: Iterable[Recorded], question: Question) -> list[dict[str, Any]]:
        """The ``result``: at most ``limit`` rows, those after the subject ``after``.

        Raises:
            WrongCallError: ``after`` names no invoice of the account, or a reading does not exist.
        """
        check(question.readings)
        files = Files(question.terms)
        for fact in facts:
            files.take(fact)
        rates = files.rates()
        return [_row(issued, contested, rates, question) for issued, contested in _page(files, question)]


def _page(files: Files, question: Question) -> list[tuple[Recorded, Contested]]:
    rows = files.contested()
    if question.after is not None:
        places = [place for place, (issued, _) in enumerate(rows) if issued.subject == question.after]
        if not places:
            raise WrongCallError(f"{question.after!r} is not an invoice of {question.account}")
        rows = rows[places[0] + 1 :]
    return rows if question.limit is None else rows[: question.limit]


def issued_at(invoice: Invoice, readings: Readings) -> datetime:
    """When it was issued (R13); a printed date counts from its first instant in Paris."""
    if choice(readings, "R13") > 1 and invoice.printed is not None:
        return instants.paris_midnight(invoice.printed)
    return invoice.issued_at


def _row(issued: Recorded, contested: Contested, rates: Rates, question: Question) -> dict[str, Any]:
    invoice, terms, as_of, readings = contested.invoice, question.terms, question.as_of, question.readings
    segments = interest_segments(invoice, rates, terms, as_of, readings)
    disputes = contested.disputes
    return {
        "subject": issued.subject,
        "number": issued.subject.rpartition("/")[2],
        "issued_at": issued_at(invoice, readings),
        "clock": issued.clock,
        "currency": invoice.currency,
        "total": money.at_least_cents(invoice.total),
        "due": max(invoice.due or date.min, invoice.issue_day(readings)),
        "contestable_until": contestable_until(invoice, terms, readings),
        "acceptance": invoice_acceptance(contested, terms, as_of, readings),
        "dispute": dispute_standing(disputes, invoice, terms, readings) if disputes else None,
        "disputed_amount": disputed_amount(contested, terms, readings),
        "accepted_amount": accepted_amount(contested, terms, as_of, readings),
        "payment": invoice_payment(invoice, as_of, readings),
        "unpaid": invoice.unpaid,
        "late_indemnity": late_indemnity(invoice, terms, as_of, readings),
        "late_interest": late_interest(invoice, rates, terms, as_of, readings),
        "interest_segments": [segment.to_json() for segment in segments],
        "missing_rates": missing_rates(segments),
    }


def missing_rates(segments: Iterable[Segment]) -> list[Mapping[str, Any]]:
    """Which rates nobody published, each with the first day that lacks it."""
    first: dict[str, Mapping[str, Any]] = {}
    for segment in segments:
        if segment.missing is not None:
            first.setdefault(segment.missing.reference, segment.missing.to_json())
    return list(first.values())


INVOICES = Invoices()
