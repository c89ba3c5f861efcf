"""Capacity reservations and orders made in error (réservation de Machine Virtuelle; arts. 3.6.2, 4)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ledger.facts.catalogue import Opening, fact
from ledger.facts.shape import (
    Amount,
    BillingText,
    Count,
    Currency,
    DayOrInstant,
    FactModel,
    Name,
)


@fact("reservation.ordered", "A/reservation/ID", opening=Opening.OPENS, article="3.6, 4")
class ReservationOrdered(FactModel):
    """A reservation was ordered (réservation de Machine Virtuelle), firm; arts. 3.6 and 4.

    ``to`` given as a date is the last day included; ``amount`` is the whole order without VAT.
    """

    resource: Name | None = None
    count: Count = 1
    from_: DayOrInstant = Field(alias="from")
    to: DayOrInstant
    amount: Amount | None = None
    currency: Currency = "EUR"
    channel: Literal["api", "cockpit", "order_form"] | None = None


class CancellationGrounds(FactModel):
    """What art. 3.6.2 asks of an order made in error; what is not known is left out.

    ``setup_costs`` (frais de mise en service) and ``consumed`` (consommations) are without VAT.
    """

    reason: BillingText | None = None
    reproducible: bool | None = None
    third_party_commitment: bool | None = None
    setup_costs: Amount | None = None
    consumed: Amount | None = None


@fact("reservation.cancellation_requested", "A/reservation/ID", opening=Opening.CONTINUES, article="3.6.2")
class ReservationCancellationRequested(CancellationGrounds):
    """The client asks to cancel an order made in error (demande d'annulation); art. 3.6.2."""


@fact("reservation.cancelled", "A/reservation/ID", opening=Opening.CONTINUES, article="3.6.2")
class ReservationCancelled(CancellationGrounds):
    """OUTSCALE cancelled the order (annulation), with the costs known by then; art. 3.6.2."""


@fact("reservation.used", "A/reservation/ID", opening=Opening.CONTINUES, article="3.6.2, 13.1")
class ReservationUsed(FactModel):
    """Services of the reservation were used (services utilisés); arts. 3.6.2 and 13.1."""

    consumed: Amount | None = None
    from_: DayOrInstant | None = Field(default=None, alias="from")
    to: DayOrInstant | None = None
