"""Payment of invoices: what is unpaid, late, and what lateness costs (art. 15.3).

Amounts are with VAT, in the invoice's currency. Days are Paris days: interest runs from the day after
the due day, each day begun counting, the day of a payment or of a credit note included (``clauses.md``
§3, Money). Rates are in percent per year. An invoice follows the terms in force when
it was issued.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

from ledger import instants, money
from ledger.contract.finding import Conclusion, Readings, Reason, clause
from ledger.contract.rates import ECB, LEGAL, MissingRate, PublishedRate, Rates, half_year_start
from ledger.contract.readings import choice, weighed
from ledger.contract.terms import InForce, Terms

PaymentStatus = Literal["credited", "paid", "overdue", "part_paid", "due"]

LATENESS_READINGS = ("R13", "R15")
"""On what lateness depends: the day of issue, and the direct-debit mandate."""
INTEREST_READINGS = ("R8", "R9", *LATENESS_READINGS)

_ONE_DAY = timedelta(days=1)
_EACH_DAY, _NO_FLOOR = 3, 2


@dataclass(frozen=True, slots=True)
class Movement:
    """A payment, a credit note or a credit used: it reduces the principal from the day after ``day``."""

    fact: Reason
    day: date
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice and what became of it.

    ``payments`` are those that stand: a rejected debit is not among them. ``printed`` is the date on the
    invoice, ``due`` the date that the special conditions give, neither when left out. ``rejected_on`` is
    the day of the first rejected debit. ``used`` are service-level credits set against it (art. 11): they
    pay its price, and leave what it bills as it is.
    """

    fact: Reason
    issued_at: datetime
    total: Decimal
    currency: str
    printed: date | None = None
    due: date | None = None
    direct_debit: bool = False
    payments: tuple[Movement, ...] = ()
    credits: tuple[Movement, ...] = ()
    rejected_on: date | None = None
    because: tuple[Reason, ...] = ()
    used: tuple[Movement, ...] = ()

    @property
    def movements(self) -> tuple[Movement, ...]:
        """Everything that reduces what is owed of it."""
        return (*self.payments, *self.credits, *self.used)

    @property
    def paid(self) -> Decimal:
        """What payments that stand amount to."""
        return money.exact_sum(payment.amount for payment in self.payments)

    @property
    def credited(self) -> Decimal:
        """What credit notes and credits used amount to."""
        return money.exact_sum(row.amount for row in (*self.credits, *self.used))

    @property
    def left(self) -> Decimal:
        """Total less credit notes, credits used and payments; negative when more was paid than owed."""
        return money.exact_sum((self.total, -self.credited, -self.paid))

    @property
    def unpaid(self) -> Decimal:
        """What is still owed of it, never negative."""
        return max(self.left, money.NIL)

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Every fact of its history."""
        return (self.fact, *self.because)

    def principal_on(self, day: date) -> Decimal:
        """What bears interest on a day: movements of earlier days are off, those of the day are not."""
        gone = (item.amount for item in self.movements if item.day < day)
        return max(money.exact_sum((self.total, -money.exact_sum(gone))), money.NIL)

    def issue_day(self, readings: Readings) -> date:
        """The Paris day on which it was issued (R13)."""
        if choice(readings, "R13") > 1 and self.printed is not None:
            return self.printed
        return instants.paris_date(self.issued_at)


def lateness_readings(*invoices: Invoice) -> tuple[str, ...]:
    """The readings that can bear on when some of these invoices are late."""
    printed = any(row.printed not in (None, instants.paris_date(row.issued_at)) for row in invoices)
    mandates = any(row.direct_debit for row in invoices)
    return (*(("R13",) if printed else ()), *(("R15",) if mandates else ()))


def interest_readings(*invoices: Invoice) -> tuple[str, ...]:
    """The readings that can bear on the interest of some of these invoices."""
    return ("R8", "R9", *lateness_readings(*invoices))


def due_day(invoice: Invoice, readings: Readings) -> date | None:
    """The last day in time: the day of issue, or the date agreed; ``None`` while no lateness can begin.

    A date agreed before the day of issue waits for it: nobody can pay what was not billed.
    Under a direct-debit mandate and the second reading of R15, lateness begins only once a debit was
    rejected: on the day after that, or after the due day when it is later.
    """
    issued = invoice.issue_day(readings)
    due = issued if invoice.due is None else max(invoice.due, issued)
    if not invoice.direct_debit or choice(readings, "R15") == 1:
        return due
    return None if invoice.rejected_on is None else max(due, invoice.rejected_on)


def first_day_late(invoice: Invoice, as_of: datetime, readings: Readings) -> date | None:
    """The first day late, D+1, if it has begun and something was still owed on it."""
    due = due_day(invoice, readings)
    if due is None or instants.paris_date(as_of) <= due:
        return None
    return due + _ONE_DAY if invoice.principal_on(due + _ONE_DAY) > 0 else None


def is_overdue(invoice: Invoice, as_of: datetime, readings: Readings) -> bool:
    """Whether something is unpaid after the due day."""
    return invoice.unpaid > 0 and first_day_late(invoice, as_of, readings) is not None


@clause("15.3")
def invoice_payment(invoice: Invoice, as_of: datetime, readings: Readings) -> Conclusion[PaymentStatus]:
    """Whether an invoice is settled, late, paid in part, or due.

    « A défaut de disposition autre dans les “Conditions Particulières et Dérogatoires”, les factures sont
    payables à réception. »
    """
    return weighed(
        readings,
        lateness_readings(invoice),
        lambda chosen: Conclusion(_payment_status(invoice, as_of, chosen), invoice.reasons),
    )


def _payment_status(invoice: Invoice, as_of: datetime, readings: Readings) -> PaymentStatus:
    if invoice.unpaid == 0:
        return "paid" if invoice.payments else "credited"
    if is_overdue(invoice, as_of, readings):
        return "overdue"
    return "part_paid" if invoice.payments else "due"


@clause("15.3")
def late_indemnity(
    invoice: Invoice, terms: InForce, as_of: datetime, readings: Readings
) -> Conclusion[Decimal]:
    """The fixed indemnity for recovery costs, in euros, once per invoice from the first day late.

    « une indemnité forfaitaire pour frais de recouvrement d’un montant légal de 40 euros, prévue par
    l’article D.441-5 du code de commerce, sera due dès le premier jour de retard de paiement »
    """
    return weighed(
        readings,
        lateness_readings(invoice),
        lambda chosen: Conclusion(indemnity_of(invoice, terms, as_of, chosen), invoice.reasons),
    )


def indemnity_of(invoice: Invoice, terms: InForce, as_of: datetime, readings: Readings) -> Decimal:
    """The indemnity under one choice of readings."""
    late = first_day_late(invoice, as_of, readings)
    return (
        money.NIL
        if late is None
        else money.at_least_cents(terms.at(invoice.issued_at).invoices.recovery_indemnity)
    )


@dataclass(frozen=True, slots=True)
class Segment:
    """Days of interest that are alike, both included: one principal, one yearly rate in percent.

    ``amount`` is exact; without a known rate it and ``rate`` are ``None`` and ``missing`` says which.
    """

    first: date
    last: date
    principal: Decimal
    rate: Decimal | None
    amount: Fraction | None
    missing: MissingRate | None = None
    facts: tuple[Reason, ...] = ()

    @property
    def days(self) -> int:
        """How many days, both ends included."""
        return (self.last - self.first).days + 1

    def to_json(self) -> dict[str, Any]:
        """As in the answer; amounts with at most 18 decimals, the rest cut off."""
        return {
            "from": self.first,
            "to": self.last,
            "days": self.days,
            "principal": self.principal,
            "rate": self.rate,
            "amount": None if self.amount is None else money.unrounded(self.amount),
            "per_day": None if self.amount is None else money.unrounded(self.amount / self.days),
        }


@dataclass(frozen=True, slots=True)
class YearlyRate:
    """The rate of late interest on a day, or which published rate is missing for it."""

    rate: Decimal | None
    missing: MissingRate | None = None
    facts: tuple[Reason, ...] = ()


def interest_rate(day: date, rates: Rates, terms: Terms, readings: Readings) -> YearlyRate:
    """The yearly rate of late interest on a day, in percent (R8)."""
    number = choice(readings, "R8")
    base = rates.on(ECB, day if number == _EACH_DAY else half_year_start(day))
    if isinstance(base, MissingRate):
        return YearlyRate(None, base)
    with_margin = money.exact_sum((base.rate, terms.invoices.interest_margin_points))
    if number in (_NO_FLOOR, _EACH_DAY):
        return YearlyRate(with_margin, None, _facts_of(base))
    legal = rates.on(LEGAL, day)
    if isinstance(legal, MissingRate):
        return YearlyRate(None, legal)
    floor = legal.rate * terms.invoices.legal_rate_multiple
    return YearlyRate(max(with_margin, floor), None, _facts_of(base, legal))


def _facts_of(*rates: PublishedRate) -> tuple[Reason, ...]:
    return tuple(rate.fact for rate in rates if rate.fact is not None)


def interest_segments(
    invoice: Invoice, rates: Rates, terms: InForce, as_of: datetime, readings: Readings
) -> list[Segment]:
    """The days of interest up to ``as_of``, divided where principal or rate changes; nil ones left out."""
    first = first_day_late(invoice, as_of, readings)
    if first is None:
        return []
    last = instants.paris_date(as_of)
    starts, of_invoice = sorted({first, *_changes(invoice, rates, first, last)}), terms.at(invoice.issued_at)
    ends = [*(start - _ONE_DAY for start in starts[1:]), last]
    segments = (
        _segment(invoice, start, end, interest_rate(start, rates, of_invoice, readings), of_invoice)
        for start, end in zip(starts, ends, strict=True)
    )
    return _joined(segment for segment in segments if segment.principal > 0)


def _changes(invoice: Invoice, rates: Rates, first: date, last: date) -> Iterable[date]:
    moved = (item.day + _ONE_DAY for item in invoice.movements)
    years = range(first.year, last.year + 1)
    halves = (date(year, month, 1) for year in years for month in (1, 7))
    yield from (day for day in (*moved, *halves) if first < day <= last)
    yield from rates.changes(ECB, first, last)
    yield from rates.changes(LEGAL, first, last)


def _segment(invoice: Invoice, first: date, last: date, yearly: YearlyRate, terms: Terms) -> Segment:
    principal, days = invoice.principal_on(first), (last - first).days + 1
    amount = None
    if yearly.rate is not None:
        of_a_year = Fraction(days, 100 * terms.invoices.interest_days_in_year)
        amount = Fraction(money.exact_product(principal, yearly.rate)) * of_a_year
    return Segment(first, last, principal, yearly.rate, amount, yearly.missing, yearly.facts)


def _joined(segments: Iterable[Segment]) -> list[Segment]:
    """Neighbours of one principal and one known rate, resting on the same facts, as one."""
    joined: list[Segment] = []
    for segment in segments:
        before = joined[-1] if joined else None
        if before and _alike(before, segment) and before.amount is not None and segment.amount is not None:
            joined[-1] = Segment(
                before.first,
                segment.last,
                segment.principal,
                segment.rate,
                before.amount + segment.amount,
                None,
                segment.facts,
            )
        else:
            joined.append(segment)
    return joined


def _alike(before: Segment, after: Segment) -> bool:
    return (before.last + _ONE_DAY, before.principal, before.rate, before.facts) == (
        after.first,
        after.principal,
        after.rate,
        after.facts,
    )


def interest_of(segments: Iterable[Segment], readings: Readings) -> Decimal | None:
    """The interest of segments, rounded once (R9); ``None`` when a rate is missing."""
    total = Fraction(0)
    for segment in segments:
        if segment.amount is None:
            return None
        total += segment.amount
    return money.half_up_to_the_cent(total) if choice(readings, "R9") == 1 else money.unrounded(total)


@clause("15.3")
def late_interest(
    invoice: Invoice, rates: Rates, terms: InForce, as_of: datetime, readings: Readings
) -> Conclusion[Decimal | None]:
    """The interest for late payment, from the first day late to ``as_of`` or to payment.

    « Des pénalités de retard seront aussi dues dès le premier jour de retard de paiement au prorata
    temporis au taux de base de la Banque Centrale Européenne (BCE) majoré de 10 points de pourcentage. »
    """
    known: dict[tuple[int, ...], list[Segment]] = {}

    def conclude(chosen: Readings) -> Conclusion[Decimal | None]:
        key = tuple(choice(chosen, point) for point in ("R8", *LATENESS_READINGS))
        if key not in known:
            known[key] = interest_segments(invoice, rates, terms, as_of, chosen)
        published = (fact for segment in known[key] for fact in segment.facts)
        return Conclusion(interest_of(known[key], chosen), (*invoice.reasons, *published))

    return weighed(readings, interest_readings(invoice), conclude)
