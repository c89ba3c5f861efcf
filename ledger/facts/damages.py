"""Damage and force majeure (responsabilité, force majeure; arts. 13.1, 13.2, 25)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ledger.facts.catalogue import Opening, fact
from ledger.facts.shape import Amount, Currency, DayOrInstant, FactModel, Name, Party, RelationText


@fact("damage.claimed", "A/damage/ID", opening=Opening.OPENS, article="13.1")
class DamageClaimed(FactModel):
    """One party claims damage (demande d'indemnisation); art. 13.1.

    ``last_event`` is the date of the last harmful event (dernier fait dommageable); ``gross_fault`` is
    « faute lourde », ``bodily_harm`` « dommages corporels »; ``beta`` tells of a Beta service (art. 25).
    """

    by: Party
    kind: Literal["interruption", "other", "third_party", "illicit_content", "indirect"]
    service: Name | None = None
    resources: list[Name] = Field(default=[])
    from_: DayOrInstant | None = Field(default=None, alias="from")
    to: DayOrInstant | None = None
    last_event: DayOrInstant | None = None
    amount: Amount | None = None
    currency: Currency = "EUR"
    gross_fault: bool = False
    bodily_harm: bool = False
    beta: bool = False


@fact("damage.settled", "A/damage/ID", opening=Opening.CONTINUES, article="13.1")
class DamageSettled(FactModel):
    """A claim for damage is settled (règlement de la demande); art. 13.1."""

    amount: Amount | None = None
    currency: Currency = "EUR"
    terms: RelationText | None = None


class ForceMajeure(FactModel):
    """An event beyond OUTSCALE's control, and the services that it strikes; art. 13.2."""

    nature: RelationText | None = None
    services: list[Name] = Field(default=[])
    from_: DayOrInstant | None = Field(default=None, alias="from")
    to: DayOrInstant | None = None


@fact("force_majeure.began", "force-majeure/ID", opening=Opening.OPENS, article="13.2")
class ForceMajeureBegan(ForceMajeure):
    """An event of force majeure began (début de la force majeure); art. 13.2."""


@fact("force_majeure.ended", "force-majeure/ID", opening=Opening.CONTINUES, article="13.2")
class ForceMajeureEnded(ForceMajeure):
    """The event of force majeure ended (fin de la force majeure); art. 13.2."""
