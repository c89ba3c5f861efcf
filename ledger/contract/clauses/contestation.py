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
    because = (
        contested.invoice.fact,
        *(dispute.fact for dispute in contested.disputes),
        *(settlement.fact for settlement in contested.settlements),
    )
    return weighed(
        readings,
        WINDOW_READINGS,
        lambda chosen: Conclusion(_acceptance(contested, terms, as_of, chosen), because),
    )


def _acceptance(
    contested: Contested, terms: InForce, as_of: datetime, readings: Readings
) -> InvoiceAcceptance:
    until = contestable_until(contested.invoice, terms, readings)
    live, settled = _unsettled(contested, until)
    if settled == "rejected":
        return "irrevocably_accepted"
    if live:
        return "disputed"
    if settled is not None:
        return "settled"
    return "irrevocably_accepted" if as_of >= until else "open"


def _unsettled(contested: Contested, until: datetime) -> tuple[list[Dispute], Outcome | None]:
    """The disputes in time that no later settlement settled, and how the earlier ones ended.

    A rejection is final: the invoice is irrevocably accepted at once, and no later dispute reopens it. A
    late dispute never counts, however it was settled. Of one instant, a dispute comes first.
    """
    live: list[Dispute] = []
    ended: Outcome | None = None
    waiting = [dispute for dispute in contested.disputes if standing_of(dispute, until) != "late"]
    for settlement in sorted(contested.settlements, key=lambda item: item.stamped_at):
        earlier = [dispute for dispute in waiting if dispute.stamped_at <= settlement.stamped_at]
        if not earlier:
            continue
        if settlement.outcome == "rejected":
            return [], "rejected"
        waiting = [dispute for dispute in waiting if dispute.stamped_at > settlement.stamped_at]
        ended = settlement.outcome
    live = waiting
    return live, ended


@clause("15.3")
def disputed_amount(contested: Contested, terms: InForce, readings: Readings) -> Conclusion[Decimal]:
    """How much of an invoice is disputed in time and unsettled, with VAT; at most its total (R14).

    « À défaut de contestation d’une facture par le CLIENT, dans un délai de 10 (dix) jours après son
    émission, le CLIENT sera réputé l’avoir irrévocablement acceptée. »
    """
    because = (
        contested.invoice.fact,
        *(dispute.fact for dispute in contested.disputes),
        *(settlement.fact for settlement in contested.settlements),
    )
    return weighed(
        readings, DISPUTED_READINGS, lambda chosen: Conclusion(disputed_of(contested, terms, chosen), because)
    )


def disputed_of(contested: Contested, terms: InForce, readings: Readings) -> Decimal:
    """The disputed amount under one choice of readings."""
    until = contestable_until(contested.invoice, terms, readings)
    live, _ = _unsettled(contested, until)
    total = contested.invoice.total
    if not live:
        return money.NIL
    if choice(readings, "R14") > 1 or any(dispute.amount is None for dispute in live):
        return money.at_least_cents(total)
    return money.at_least_cents(min(money.exact_sum(dispute.amount or money.NIL for dispute in live), total))


def upheld_of(contested: Contested, total: Decimal) -> Decimal:
    """What settlements upheld: what they name, else what was disputed before them."""
    upheld = money.NIL
    for settlement in contested.settlements:
        if settlement.outcome == "rejected":
            continue
        earlier = [row.amount for row in contested.disputes if row.stamped_at <= settlement.stamped_at]
        disputed = total if None in earlier else money.exact_sum(row for row in earlier if row is not None)
        upheld = money.exact_sum((upheld, disputed if settlement.amount is None else settlement.amount))
    return min(upheld, total)


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
            return Conclusion(total, contested.invoice.reasons)
        if as_of < contestable_until(contested.invoice, terms, chosen):
            return Conclusion(money.NIL, contested.invoice.reasons)
        held = disputed_of(contested, terms, chosen) if standing == "disputed" else money.NIL
        left = money.exact_sum((total, -held, -upheld_of(contested, total)))
        return Conclusion(max(left, money.NIL), contested.invoice.reasons)

    return weighed(readings, DISPUTED_READINGS, conclude)
