"""Contestation of invoices: in time or late, in part, settled (art. 15.3 names no channel for it).

``contestable_until`` is the first instant that is too late, in UTC; days are Paris days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from ledger import instants, money
from ledger.contract.clauses.duty import delays_moved
from ledger.contract.clauses.payment import Invoice
from ledger.contract.finding import Conclusion, Readings, Reason, clause
from ledger.contract.readings import choice, weighed
from ledger.contract.terms import InForce

InvoiceAcceptance = Literal["open", "disputed", "settled", "irrevocably_accepted"]
DisputeStanding = Literal["in_time", "late", "undetermined"]
Outcome = Literal["upheld", "rejected", "partly"]

WINDOW_READINGS = ("R13", "R4")
"""On what the end of the ten days depends."""
DISPUTED_READINGS = ("R13", "R4", "R14")


@dataclass(frozen=True, slots=True)
class Dispute:
    """A dispute of an invoice; ``amount`` is ``None`` when the whole is disputed.

    ``not_after`` bounds from above when its mail reached the server: it is the stamp itself when no mail
    carried it.
    """

    fact: Reason
    stamped_at: datetime
    not_after: datetime
    amount: Decimal | None


@dataclass(frozen=True, slots=True)
class Settlement:
    """How every dispute before it was settled."""

    fact: Reason
    stamped_at: datetime
    outcome: Outcome
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Contested:
    """An invoice with its disputes and settlements, both in order of legal time."""

    invoice: Invoice
    disputes: tuple[Dispute, ...] = ()
    settlements: tuple[Settlement, ...] = ()

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """The invoice, its disputes and their settlements."""
        disputes = (dispute.fact for dispute in self.disputes)
        return (self.invoice.fact, *disputes, *(settlement.fact for settlement in self.settlements))


def contestable_until(invoice: Invoice, terms: InForce, readings: Readings) -> datetime:
    """The first instant too late for a dispute (R13, R4)."""
    of_invoice = terms.at(invoice.issued_at)
    moved = delays_moved(of_invoice, readings)
    return instants.end_of_days(invoice.issue_day(readings), of_invoice.invoices.dispute_days, moved=moved)


def standing_of(dispute: Dispute, until: datetime) -> DisputeStanding:
    """Whether one dispute came before ``until``, as far as its mail's clock tells."""
    if dispute.not_after < until:
        return "in_time"
    return "late" if dispute.stamped_at >= until else "undetermined"


@clause("15.3")
def dispute_standing(
    disputes: Sequence[Dispute], invoice: Invoice, terms: InForce, readings: Readings
) -> Conclusion[DisputeStanding]:
    """Whether an invoice was disputed in time: it was if any dispute was.

    « À défaut de contestation d’une facture par le CLIENT, dans un délai de 10 (dix) jours après son
    émission, le CLIENT sera réputé l’avoir irrévocablement acceptée. »
    """
    because = (invoice.fact, *(dispute.fact for dispute in disputes))

    def conclude(chosen: Readings) -> Conclusion[DisputeStanding]:
        until = contestable_until(invoice, terms, chosen)
        found = {standing_of(dispute, until) for dispute in disputes}
        best: DisputeStanding = (
            "in_time" if "in_time" in found else "undetermined" if "undetermined" in found else "late"
        )
        return Conclusion(best, because)

    return weighed(readings, WINDOW_READINGS, conclude)


@clause("15.3")
def invoice_acceptance(
    contested: Contested, terms: InForce, as_of: datetime, readings: Readings
) -> Conclusion[InvoiceAcceptance]:
    """Whether an invoice is still contestable, disputed, settled or irrevocably accepted.

    A dispute that the clock leaves undetermined holds acceptance back: its stamp was in time, and only
    its upper bound was not.

    « À défaut de contestation d’une facture par le CLIENT, dans un délai de 10 (dix) jours après son
    émission, le CLIENT sera réputé l’avoir irrévocablement acceptée. »
    """
    return weighed(
        readings,
        WINDOW_READINGS,
        lambda chosen: Conclusion(_acceptance(contested, terms, as_of, chosen), contested.reasons),
    )


def _acceptance(
    contested: Contested, terms: InForce, as_of: datetime, readings: Readings
) -> InvoiceAcceptance:
    until = contestable_until(contested.invoice, terms, readings)
    course = course_of(contested, until)
    if course.live:
        return "disputed"
    if course.settled:
        return "settled"
    return "irrevocably_accepted" if course.closed or as_of >= until else "open"


@dataclass(frozen=True, slots=True)
class Course:
    """What settlements made of an invoice: what they upheld, what they rejected, and what is left.

    ``live`` are the disputes in time that none has settled; ``settled`` tells whether any upheld something,
    ``closed`` whether the whole was rejected.
    """

    live: tuple[Dispute, ...]
    upheld: Decimal
    rejected: Decimal
    settled: bool
    closed: bool


def course_of(contested: Contested, until: datetime) -> Course:
    """The settlements in order, each of the disputes in time since the one before it.

    A late dispute never counts, however it was settled. What was upheld is what the settlement names, at
    most what was disputed; the rest of that is rejected, and rejected for good: of the whole, the invoice is
    irrevocably accepted at once, and no later dispute reopens it. Of one instant, a dispute comes first.
    """
    total, upheld, rejected, settled = contested.invoice.total, money.NIL, money.NIL, False
    waiting = tuple(dispute for dispute in contested.disputes if standing_of(dispute, until) != "late")
    for settlement in sorted(contested.settlements, key=lambda item: item.stamped_at):
        earlier = [dispute for dispute in waiting if dispute.stamped_at <= settlement.stamped_at]
        if not earlier:
            continue
        left = money.exact_sum((total, -upheld, -rejected))
        disputed = _sum_of(earlier, left)
        granted = _granted(settlement, disputed)
        settled = settled or settlement.outcome != "rejected"
        upheld = money.exact_sum((upheld, granted))
        rejected = money.exact_sum((rejected, disputed, -granted))
        if money.exact_sum((upheld, rejected)) >= total:
            return Course((), upheld, rejected, settled, closed=rejected >= total)
        waiting = tuple(dispute for dispute in waiting if dispute.stamped_at > settlement.stamped_at)
    return Course(waiting, upheld, rejected, settled, closed=False)


def _granted(settlement: Settlement, disputed: Decimal) -> Decimal:
    """What a settlement upholds of what was disputed: without an amount, all of it."""
    if settlement.outcome == "rejected":
        return money.NIL
    return disputed if settlement.amount is None else min(settlement.amount, disputed)


def _sum_of(disputes: Sequence[Dispute], left: Decimal) -> Decimal:
    """What disputes come to together: at most what is left, and that when one is of the whole."""
    amounts = [dispute.amount for dispute in disputes if dispute.amount is not None]
    return min(money.exact_sum(amounts), left) if len(amounts) == len(disputes) else left


@clause("15.3")
def disputed_amount(contested: Contested, terms: InForce, readings: Readings) -> Conclusion[Decimal]:
    """How much of an invoice is disputed in time and unsettled, with VAT; at most its total (R14).

    « À défaut de contestation d’une facture par le CLIENT, dans un délai de 10 (dix) jours après son
    émission, le CLIENT sera réputé l’avoir irrévocablement acceptée. »
    """
    return weighed(
        readings,
        DISPUTED_READINGS,
        lambda chosen: Conclusion(disputed_of(contested, terms, chosen), contested.reasons),
    )


def disputed_of(contested: Contested, terms: InForce, readings: Readings) -> Decimal:
    """The disputed amount under one choice of readings."""
    course = course_of(contested, contestable_until(contested.invoice, terms, readings))
    left = money.exact_sum((contested.invoice.total, -course.upheld, -course.rejected))
    if not course.live:
        return money.NIL
    return money.at_least_cents(left if choice(readings, "R14") > 1 else _sum_of(course.live, left))


@clause("15.3")
def accepted_amount(
    contested: Contested, terms: InForce, as_of: datetime, readings: Readings
) -> Conclusion[Decimal]:
    """How much of an invoice nobody can contest any more, with VAT (R14).

    « À défaut de contestation d’une facture par le CLIENT, dans un délai de 10 (dix) jours après son
    émission, le CLIENT sera réputé l’avoir irrévocablement acceptée. »
    """

    def conclude(chosen: Readings) -> Conclusion[Decimal]:
        standing = _acceptance(contested, terms, as_of, chosen)
        total = money.at_least_cents(contested.invoice.total)
        if standing == "irrevocably_accepted":
            return Conclusion(total, contested.reasons)
        until = contestable_until(contested.invoice, terms, chosen)
        course = course_of(contested, until)
        if as_of < until:
            return Conclusion(money.at_least_cents(course.rejected), contested.reasons)
        held = disputed_of(contested, terms, chosen)
        left = money.exact_sum((total, -held, -course.upheld))
        return Conclusion(max(left, money.NIL), contested.reasons)

    return weighed(readings, DISPUTED_READINGS, conclude)
