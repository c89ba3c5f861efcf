"""How the contract is made and how it changes (arts. 1, 3.1-3.5, 5, 15.1, 15.2)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ledger.facts.catalogue import Opening, fact
from ledger.facts.shape import (
    Amount,
    Currency,
    DayOrInstant,
    FactModel,
    Name,
    Quantity,
    Rate,
    RelationText,
    Sha256,
)


class SpecialCondition(FactModel):
    """One special or derogating condition (Condition Particulière ou Dérogatoire); art. 3.3."""

    topic: Name
    clause: RelationText | None = None
    derogates: bool = False
    value: Name | None = None


@fact("contract.accepted", "A", opening=Opening.CONTINUES, article="3.1")
class ContractAccepted(FactModel):
    """The client accepted the contract (acceptation des CGV); art. 3.1."""

    route: Literal["internet", "order_form", "derogatory"]
    terms: Name = "2021-06"
    on_demand: bool = True
    special_conditions: list[SpecialCondition] | None = None


@fact("order_form.signed", "A/order/ID", opening=Opening.OPENS, article="3.4.2")
class OrderFormSigned(FactModel):
    """The client signed an order form (Bon de Commande signé); arts. 1 and 3.4.2."""

    amounts: list[Amount] | None = None
    currency: Currency | None = None
    services: list[Name] | None = None
    duration_months: int | None = Field(default=None, ge=0)
    clauses: list[SpecialCondition] | None = None


@fact("order_form.accepted", "A/order/ID", opening=Opening.CONTINUES, article="3.4.2")
class OrderFormAccepted(FactModel):
    """OUTSCALE accepted the order form (Bon de Commande accepté); art. 3.4.2."""


@fact("verification.requested", "A/verification/ID", opening=Opening.OPENS, article="3.4.1")
class VerificationRequested(FactModel):
    """OUTSCALE asked about anomalies (procédure de vérification); art. 3.4.1."""

    anomalies: list[RelationText] | None = None
    documents: list[RelationText] | None = None


@fact("verification.acknowledged", "A/verification/ID", opening=Opening.CONTINUES, article="3.4.1")
class VerificationAcknowledged(FactModel):
    """The client acknowledged the verification e-mail (accusé de réception); art. 3.4.1."""


@fact("verification.corrected", "A/verification/ID", opening=Opening.CONTINUES, article="3.4.1")
class VerificationCorrected(FactModel):
    """The client corrected or documented its information (corrections, justificatifs); art. 3.4.1."""

    documents: list[RelationText] | None = None
    probative: bool | None = None


@fact("verification.closed", "A/verification/ID", opening=Opening.CONTINUES, article="3.4.1")
class VerificationClosed(FactModel):
    """The verification procedure ended (fin de la procédure); art. 3.4.1."""

    outcome: Literal["verified", "not_probative", "unanswered"] | None = None


@fact("terms.published", "terms/VERSION", opening=Opening.OPENS, article="5")
class TermsPublished(FactModel):
    """A version of the terms was published (publication des CGV); art. 5."""

    version: Name
    text_sha256: Sha256 | None = None
    substantial: bool = False
    effective: DayOrInstant | None = None


@fact("terms.refused", "A", opening=Opening.CONTINUES, article="5.1")
class TermsRefused(FactModel):
    """The client refused a version of the terms (refus des modifications); art. 5.1."""

    version: Name


@fact("price.published", "price/ID", opening=Opening.OPENS, article="15.2")
class PricePublished(FactModel):
    """A public price (tarif public); arts. 15.1 and 15.2.

    ``unit_price`` is per ``unit``; ``effective`` as a day means its first instant in Paris.
    """

    service: Name
    resource: Name | None = None
    region: Name | None = None
    unit: Literal["second", "hour", "GiB", "GiB-month", "request"]
    unit_price: Quantity
    currency: Currency = "EUR"
    beta: bool = False
    effective: DayOrInstant


@fact("rate.published", "rate/ID", opening=Opening.OPENS, article="15.3")
class RatePublished(FactModel):
    """A reference rate in percent per year (taux de la BCE, taux d'intérêt légal); art. 15.3."""

    reference: Literal["ecb_main_refinancing", "legal_interest_professional"]
    effective: DayOrInstant
    rate: Rate


@fact("region.zones_published", "region/REGION", opening=Opening.EITHER, article="Annexe A")
class RegionZonesPublished(FactModel):
    """The zones that exist in a Region (Zones de disponibilité); Annex A."""

    zones: list[Name]
    effective: DayOrInstant | None = None


@fact("reseller.engaged", "A", opening=Opening.CONTINUES, article="1")
class ResellerEngaged(FactModel):
    """A reseller stands between OUTSCALE and the client (Revendeur); art. 1."""

    reseller: RelationText | None = None


@fact("reseller.terms_accepted", "A", opening=Opening.CONTINUES, article="1")
class ResellerTermsAccepted(FactModel):
    """The indirect client accepted the terms (acceptation par le Client Indirect); art. 1."""

    reseller: RelationText | None = None
