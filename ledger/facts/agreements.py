"""The contract, its documents, its terms and its tariff (arts. 3, 4, 5, 15.1, 15.3)."""

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
    Rate,
    RelationText,
    Sha256,
    Whole,
)

PriceUnit = Literal["second", "hour", "GiB", "GiB-month", "request"]
"""What a price is for (unité d'œuvre); art. 15.4. Tariffs are often shown by the hour."""


class SpecialCondition(FactModel):
    """One clause of the special conditions (Conditions Particulières et Dérogatoires); art. 3.3.

    ``topic`` names the point it is about; ``value`` is what it sets, where a rule can use it;
    ``derogates`` tells whether the clause begins « Par dérogation aux CGV ».
    """

    topic: Name
    clause: RelationText | None = None
    value: Name | None = None
    derogates: bool = False


@fact("contract.accepted", "A", opening=Opening.CONTINUES, article="3.1, 3.4")
class ContractAccepted(FactModel):
    """The client accepted the contract (acceptation du Contrat); arts. 3.1 and 3.4.

    ``terms`` is the version of the general terms (CGV) that was accepted.
    """

    route: Literal["internet", "order_form", "derogatory"]
    terms: Name = "2021-06"
    on_demand: bool = True
    special_conditions: list[SpecialCondition] = Field(default=[])


class OrderForm(FactModel):
    """What an order form says (Bon de Commande), amounts without VAT; arts. 3.3 and 3.4.2."""

    amounts: list[Amount] = Field(default=[])
    currency: Currency = "EUR"
    services: list[Name] = Field(default=[])
    duration_months: Whole | None = None
    clauses: list[SpecialCondition] = Field(default=[])


@fact("order_form.signed", "A/order/ID", opening=Opening.OPENS, article="3.4.2")
class OrderFormSigned(OrderForm):
    """The client signed an order form (signature du Bon de Commande); art. 3.4.2."""


@fact("order_form.accepted", "A/order/ID", opening=Opening.CONTINUES, article="3.4.2")
class OrderFormAccepted(OrderForm):
    """OUTSCALE accepted the order form (acceptation du Bon de Commande); arts. 3.3 and 3.4.2."""


class Verification(FactModel):
    """What is said in the verification procedure (Procédure de Vérification); art. 3.4.1."""

    anomalies: list[RelationText] = Field(default=[])
    documents: list[RelationText] = Field(default=[])


@fact("verification.requested", "A/verification/ID", opening=Opening.OPENS, article="3.4.1")
class VerificationRequested(Verification):
    """OUTSCALE tells the client of anomalies (anomalies détectées); art. 3.4.1."""


@fact("verification.acknowledged", "A/verification/ID", opening=Opening.CONTINUES, article="3.4.1")
class VerificationAcknowledged(Verification):
    """The client acknowledged receipt (accusé de réception), within two hours or not; art. 3.4.1."""


@fact("verification.corrected", "A/verification/ID", opening=Opening.CONTINUES, article="3.4.1")
class VerificationCorrected(Verification):
    """The client sent corrections or documents (corrections, pièces justificatives); art. 3.4.1."""


@fact("verification.closed", "A/verification/ID", opening=Opening.CONTINUES, article="3.4.1")
class VerificationClosed(Verification):
    """OUTSCALE closed the procedure (fin de la Procédure de Vérification); art. 3.4.1.

    ``not_probative`` is said of what the client sent (pièces non probantes).
    """

    outcome: Literal["verified", "not_probative", "unanswered"] | None = None


@fact("terms.published", "terms/VERSION", opening=Opening.OPENS, article="5")
class TermsPublished(FactModel):
    """A version of the general terms was published (publication des CGV); art. 5.

    Without ``effective`` it is in force as soon as it is published (« Dès leur publication »).
    """

    version: Name
    text_sha256: Sha256 | None = None
    substantial: bool = False
    effective: DayOrInstant | None = None


@fact("terms.refused", "A", opening=Opening.CONTINUES, article="5.1")
class TermsRefused(FactModel):
    """The client does not accept a change (refus des modifications); art. 5.1."""

    version: Name


@fact("price.published", "price/ID", opening=Opening.OPENS, article="5, 15.1, 15.2")
class PricePublished(FactModel):
    """A price of the public tariff (tarif public), without VAT; arts. 5, 15.1 and 15.2.

    Without ``resource`` it is the price of the whole service, without ``region`` of every Region.
    """

    service: Name
    resource: Name | None = None
    region: Name | None = None
    unit: PriceUnit
    unit_price: Amount
    currency: Currency = "EUR"
    beta: bool = False
    effective: DayOrInstant


@fact("rate.published", "rate/ID", opening=Opening.OPENS, article="15.3")
class RatePublished(FactModel):
    """A rate that late interest rests on (taux de base de la BCE, taux d'intérêt légal); art. 15.3.

    ``rate`` is in percent per year, from ``effective`` on.
    """

    reference: Literal["ecb_main_refinancing", "legal_interest_professional"]
    effective: DayOrInstant
    rate: Rate
