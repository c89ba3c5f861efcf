"""Metered consumption and the client's reserves (arts. 9.4, 15.4)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from ledger.facts.catalogue import Opening, fact
from ledger.facts.shape import Amount, Currency, FactModel, Instant, Name, Quantity, RelationText, Whole

Unit = Literal["second", "GiB", "GiB-month", "request"]


class ConsumptionEntry(FactModel):
    """One metered slice: the closed interval [``from``, ``to``] and what was consumed in it.

    ``shown_unit_price`` and ``shown_price`` are what the API or Cockpit showed: indicative (art. 15.3
    makes the invoice binding), kept as read and never corrected.
    """

    service: Name
    resource: Name | None = None
    resource_id: Name | None = None
    subregion: Name | None = None
    from_: Instant = Field(alias="from")
    to: Instant
    quantity: Quantity
    unit: Unit
    beta: bool = False
    shown_unit_price: Amount | None = None
    shown_price: Amount | None = None
    shown_currency: Currency | None = None

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> ConsumptionEntry:
        if self.to < self.from_:
            raise PydanticCustomError("interval", "an entry cannot end before it starts: to < from")
        return self


@fact("consumption.recorded", "A/consumption/ID", opening=Opening.OPENS, article="9.4, 15.4")
class ConsumptionRecorded(FactModel):
    """Metered consumption (consommation), indicative until the invoice; arts. 9.4 and 15.4."""

    entries: list[ConsumptionEntry] = Field(min_length=1)


@fact("consumption.corrected", "A/consumption/ID", opening=Opening.CONTINUES, article="9.4, 15.4")
class ConsumptionCorrected(FactModel):
    """Entries replaced by others (rectification); ``replaces`` counts entries of the delivery from 0."""

    replaces: list[Whole] = Field(default=[])
    entries: list[ConsumptionEntry] = Field(default=[])


@fact("reserve.notified", "A/reserve/ID", opening=Opening.OPENS, article="9.4")
class ReserveNotified(FactModel):
    """A reasoned reserve (réserve motivée) of the client; art. 9.4."""

    service: Name | None = None
    resource_id: Name | None = None
    unavailable_from: Instant | None = None
    unavailable_to: Instant | None = None
    evidence: list[RelationText] | None = None
    reason: RelationText | None = None


@fact("reserve.withdrawn", "A/reserve/ID", opening=Opening.CONTINUES, article="9.4")
class ReserveWithdrawn(FactModel):
    """The client lifts its reserve (levée de la réserve); art. 9.4."""
