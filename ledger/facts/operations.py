"""What the parties do while the contract runs (arts. 3.6, 9, 13.1, 19; Professional services)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ledger.facts.catalogue import Opening, fact
from ledger.facts.endings import Party
from ledger.facts.shape import (
    Amount,
    Currency,
    DayOrInstant,
    FactModel,
    Instant,
    Name,
    Quantity,
    RelationText,
    Subject,
)


@fact("reservation.ordered", "A/reservation/ID", opening=Opening.OPENS, article="3.6, 4")
class ReservationOrdered(FactModel):
    """A capacity reservation was ordered (réservation de Machine Virtuelle); ``to`` is its last day."""

    resource: Name
    count: int = Field(default=1, ge=1)
    from_: DayOrInstant = Field(alias="from")
    to: DayOrInstant
    amount: Amount | None = None
    currency: Currency = "EUR"
    channel: Literal["api", "cockpit", "order_form"]


@fact("reservation.cancellation_requested", "A/reservation/ID", opening=Opening.CONTINUES, article="3.6.2")
class ReservationCancellationRequested(FactModel):
    """The client asks to cancel an order made in error (demande d'annulation); art. 3.6.2."""

    reason: RelationText | None = None
    reproducible: bool | None = None
    third_party_commitment: bool | None = None
    setup_costs: Amount | None = None
    consumed: Amount | None = None


@fact("reservation.cancelled", "A/reservation/ID", opening=Opening.CONTINUES, article="3.6.2")
class ReservationCancelled(FactModel):
    """OUTSCALE cancelled the reservation (annulation); art. 3.6.2."""

    reason: RelationText | None = None
    third_party_commitment: bool | None = None
    setup_costs: Amount | None = None
    consumed: Amount | None = None


@fact("reservation.used", "A/reservation/ID", opening=Opening.CONTINUES, article="3.6.2")
class ReservationUsed(FactModel):
    """The reservation was used (utilisation de la réservation); art. 3.6.2."""

    consumed: Amount | None = None


@fact("access_keys.renewal_requested", "A/access-keys/ID", opening=Opening.OPENS, article="9.1")
class AccessKeysRenewalRequested(FactModel):
    """OUTSCALE asks to renew access keys (demande de régénération des AK/SK); art. 9.1."""

    reason: RelationText | None = None


@fact("access_keys.renewed", "A/access-keys/ID", opening=Opening.CONTINUES, article="9.1")
class AccessKeysRenewed(FactModel):
    """The client renewed its access keys (régénération des AK/SK); art. 9.1."""

    reason: RelationText | None = None


@fact("operation.announced", "A/operation/ID", opening=Opening.OPENS, article="9.3")
class OperationAnnounced(FactModel):
    """A load-raising operation was announced (information préalable d'une opération); art. 9.3."""

    from_: Instant = Field(alias="from")
    to: Instant | None = None
    nature: RelationText | None = None
    expected_increase: RelationText | None = None


@fact("abuse.found", "A/abuse/ID", opening=Opening.OPENS, article="9.2")
class AbuseFound(FactModel):
    """Abnormal use was found (usage anormal); art. 9.2."""

    nature: Name | None = None
    resources: list[Name] | None = None


@fact("abuse.cost_claimed", "A/abuse/ID", opening=Opening.CONTINUES, article="9.2")
class AbuseCostClaimed(FactModel):
    """Replacement costs claimed on the supplier's invoice (indemnisation des matériels); art. 9.2."""

    invoice: Name | None = None
    amount: Amount | None = None
    currency: Currency = "EUR"


@fact("damage.claimed", "A/damage/ID", opening=Opening.OPENS, article="13.1")
class DamageClaimed(FactModel):
    """A party claims damages (demande de dommages-intérêts); art. 13.1."""

    by: Party
    kind: Literal["interruption", "other", "third_party", "illicit_content", "indirect"]
    service: Name | None = None
    from_: Instant | None = Field(default=None, alias="from")
    to: Instant | None = None
    last_event: DayOrInstant | None = None
    amount: Amount | None = None
    currency: Currency = "EUR"
    gross_fault: bool = False
    bodily_harm: bool = False


@fact("damage.settled", "A/damage/ID", opening=Opening.CONTINUES, article="13.1")
class DamageSettled(FactModel):
    """The claim was settled (règlement du sinistre); art. 13.1."""

    amount: Amount | None = None


@fact("ticket.opened", "A/ticket/ID", opening=Opening.OPENS, article="19, Annexe A")
class TicketOpened(FactModel):
    """A support request got its ticket (ouverture d'un ticket); art. 19 and Annex A, SLA9."""

    channel: Literal["web", "mail", "phone"] | None = None
    severity: Literal[1, 2, 3]
    service: Name | None = None
    information_complete: bool = False
    specific_support: bool = False


@fact("ticket.answered", "A/ticket/ID", opening=Opening.CONTINUES, article="19, Annexe A")
class TicketAnswered(FactModel):
    """Support gave its first answer (prise en charge, GTI); Annex A, SLA9."""


@fact("ticket.question_asked", "A/ticket/ID", opening=Opening.CONTINUES, article="19, Annexe A")
class TicketQuestionAsked(FactModel):
    """Support asked the client a question (question au CLIENT); Annex A, SLA9."""


@fact("ticket.question_answered", "A/ticket/ID", opening=Opening.CONTINUES, article="19, Annexe A")
class TicketQuestionAnswered(FactModel):
    """The client answered support's question (réponse du CLIENT); Annex A, SLA9."""


@fact("ticket.resolved", "A/ticket/ID", opening=Opening.CONTINUES, article="19, Annexe A")
class TicketResolved(FactModel):
    """The request was resolved (rétablissement, GTR); Annex A, SLA9."""


@fact("works.ordered", "A/works/ID", opening=Opening.OPENS, article="Services Professionnels")
class WorksOrdered(FactModel):
    """Professional services were ordered (commande de Services Professionnels)."""

    amount: Amount | None = None
    currency: Currency = "EUR"


@fact("works.progressed", "A/works/ID", opening=Opening.CONTINUES, article="Services Professionnels")
class WorksProgressed(FactModel):
    """The works progressed, in percent (avancement)."""

    progress: Quantity


@fact("works.accepted", "A/works/ID", opening=Opening.CONTINUES, article="Services Professionnels")
class WorksAccepted(FactModel):
    """The client accepted the works (recette)."""


@fact("works.put_in_production", "A/works/ID", opening=Opening.CONTINUES, article="Services Professionnels")
class WorksPutInProduction(FactModel):
    """The works went into production, which is acceptance (mise en production)."""


@fact("citation.noticed", "A/citation", opening=Opening.OPENS, article="12.3, 29")
class CitationNoticed(FactModel):
    """A party says that it will cite the other as a reference (citation en référence); arts. 12.3, 29."""

    by: Party | None = None


@fact("citation.agreed", "A/citation", opening=Opening.CONTINUES, article="29")
class CitationAgreed(FactModel):
    """The other party agreed to be cited (accord préalable); art. 29."""

    by: Party | None = None


@fact("citation.refused", "A/citation", opening=Opening.CONTINUES, article="12.3, 29")
class CitationRefused(FactModel):
    """A party wants to be cited no more (refus de citation); arts. 12.3, 29."""

    by: Party | None = None


@fact("confidence.disclosed", "A/confidence/ID", opening=Opening.OPENS, article="16")
class ConfidenceDisclosed(FactModel):
    """Confidential information was disclosed (Information Confidentielle); art. 16."""

    description: RelationText | None = None
    by: Party | None = None


@fact("hold.placed", "A/hold/ID", opening=Opening.OPENS, article="18.3")
class HoldPlaced(FactModel):
    """A legal hold: nothing of the account may be erased (conservation pour litige); art. 18.3."""

    reason: RelationText | None = None
    until: DayOrInstant | None = None
    rests_on: Subject | None = None


@fact("hold.released", "A/hold/ID", opening=Opening.CONTINUES, article="18.3")
class HoldReleased(FactModel):
    """The legal hold ended (fin de la conservation); art. 18.3."""

    reason: RelationText | None = None
