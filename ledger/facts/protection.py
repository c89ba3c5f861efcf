"""Data, privacy, security and compliance (arts. 8, 9.1, 14, 17, 18, 21.3, 27)."""

from __future__ import annotations

from ledger.facts.catalogue import Opening, fact
from ledger.facts.endings import Party
from ledger.facts.shape import (
    Amount,
    Currency,
    DayOrInstant,
    FactModel,
    Name,
    RelationText,
    Segment,
    Sha256,
)


@fact("breach.discovered", "A/breach/ID", opening=Opening.OPENS, article="14.2.1")
class BreachDiscovered(FactModel):
    """A personal-data breach was discovered (violation de données personnelles); art. 14.2.1, 11."""

    nature: RelationText | None = None


@fact("breach.notified", "A/breach/ID", opening=Opening.CONTINUES, article="14.2.1")
class BreachNotified(FactModel):
    """The breach was notified to the client (notification de la violation); art. 14.2.1, 11."""

    nature: RelationText | None = None
    consequences: RelationText | None = None
    measures: RelationText | None = None
    contact: RelationText | None = None


@fact("rights_request.received", "A/rights-request/ID", opening=Opening.OPENS, article="14.2.1, 14.2.2")
class RightsRequestReceived(FactModel):
    """A person exercises a right (demande d'exercice de droits); arts. 14.2.1, 7 and 14.2.2."""

    right: Name | None = None


@fact("rights_request.answered", "A/rights-request/ID", opening=Opening.CONTINUES, article="14.2.2")
class RightsRequestAnswered(FactModel):
    """The request was answered (réponse à la demande); art. 14.2.2."""

    right: Name | None = None


@fact("subcontractors.changed", "subcontractors/ID", opening=Opening.OPENS, article="14.2.1")
class SubcontractorsChanged(FactModel):
    """The list of subcontractors changes (liste des sous-traitants); art. 14.2.1, 5."""

    added: list[Name] | None = None
    removed: list[Name] | None = None
    effective: DayOrInstant | None = None


@fact("recovery.ordered", "A/recovery/ID", opening=Opening.OPENS, article="18.2")
class RecoveryOrdered(FactModel):
    """The client orders the recovery of its data (commande de récupération); art. 18.2."""


@fact("recovery.quoted", "A/recovery/ID", opening=Opening.CONTINUES, article="18.2")
class RecoveryQuoted(FactModel):
    """OUTSCALE sent a quote (devis de récupération); art. 18.2."""

    amount: Amount | None = None
    currency: Currency = "EUR"


@fact("recovery.accepted", "A/recovery/ID", opening=Opening.CONTINUES, article="18.2")
class RecoveryAccepted(FactModel):
    """The client accepted the quote (acceptation du devis); art. 18.2."""


@fact("recovery.paid", "A/recovery/ID", opening=Opening.CONTINUES, article="18.2")
class RecoveryPaid(FactModel):
    """The client paid the recovery (paiement de la récupération); art. 18.2."""

    amount: Amount | None = None


@fact("recovery.delivered", "A/recovery/ID", opening=Opening.CONTINUES, article="18.2")
class RecoveryDelivered(FactModel):
    """The data were handed over (transmission des Données); art. 18.2."""


@fact("erasure.done", "A/erasure/ID", opening=Opening.OPENS, article="18.3")
class ErasureDone(FactModel):
    """The client's data were erased (effacement des Données); art. 18.3."""

    log_sha256: Sha256 | None = None


@fact("erasure.certificate_requested", "A/erasure/ID", opening=Opening.CONTINUES, article="18.3")
class ErasureCertificateRequested(FactModel):
    """The client asks for the certificate of erasure (demande d'attestation); art. 18.3."""


@fact("erasure.certificate_issued", "A/erasure/ID", opening=Opening.CONTINUES, article="18.3")
class ErasureCertificateIssued(FactModel):
    """The certificate of erasure was issued (attestation d'effacement); art. 18.3."""

    log_sha256: Sha256 | None = None


@fact("flaw.reported", "flaw/ID", opening=Opening.OPENS, article="21.3")
class FlawReported(FactModel):
    """A security flaw was reported (signalement d'une faille); art. 21.3."""

    description: RelationText | None = None


@fact("flaw.closed", "flaw/ID", opening=Opening.CONTINUES, article="21.3")
class FlawClosed(FactModel):
    """The flaw was dealt with (clôture d'une faille); art. 21.3."""

    description: RelationText | None = None


@fact("security_incident.found", "service/SERVICE/security-incident/ID", opening=Opening.OPENS, article="8")
class SecurityIncidentFound(FactModel):
    """A security incident was found (incident de sécurité); art. 8."""

    nature: RelationText | None = None
    accounts: list[Segment] | None = None
    measures: RelationText | None = None


@fact(
    "security_incident.communicated",
    "service/SERVICE/security-incident/ID",
    opening=Opening.CONTINUES,
    article="8",
)
class SecurityIncidentCommunicated(FactModel):
    """Clients were told of the incident (communication de l'incident); art. 8."""

    accounts: list[Segment] | None = None
    measures: RelationText | None = None


@fact("security_incident.closed", "service/SERVICE/security-incident/ID", opening=Opening.CONTINUES, article="8")
class SecurityIncidentClosed(FactModel):
    """The security incident ended (clôture de l'incident de sécurité); art. 8."""

    measures: RelationText | None = None


@fact("regulated_data.declared", "A/regulated-data/ID", opening=Opening.OPENS, article="9.1")
class RegulatedDataDeclared(FactModel):
    """The client declares specially regulated data (données soumises à des contraintes); art. 9.1."""

    nature: Name | None = None
    measures: RelationText | None = None


@fact("regulated_data.assessed", "A/regulated-data/ID", opening=Opening.CONTINUES, article="9.1")
class RegulatedDataAssessed(FactModel):
    """The preliminary risk analysis was made (analyse de risque préliminaire); art. 9.1."""

    nature: Name | None = None
    measures: RelationText | None = None


class _Finding(FactModel):
    nature: RelationText | None = None
    authority: RelationText | None = None
    by: Party | None = None


@fact("corruption.found", "A/compliance/ID", opening=Opening.OPENS, article="27")
class CorruptionFound(_Finding):
    """A breach of the anti-corruption undertakings (corruption); art. 27."""


@fact("conflict.declared", "A/compliance/ID", opening=Opening.OPENS, article="27")
class ConflictDeclared(_Finding):
    """A conflict of interests was declared (conflit d'intérêt); art. 27."""


@fact("export_control.found", "A/compliance/ID", opening=Opening.OPENS, article="17")
class ExportControlFound(_Finding):
    """Export-controlled data were found (contrôle des exportations); art. 17."""


@fact("disclosure.ordered", "A/compliance/ID", opening=Opening.OPENS, article="14.1")
class DisclosureOrdered(_Finding):
    """An authority ordered a disclosure (divulgation ordonnée par une autorité); art. 14.1."""


@fact("disclosure.told", "A/compliance/ID", opening=Opening.CONTINUES, article="14.1")
class DisclosureTold(_Finding):
    """The client was told of the disclosure (information du CLIENT); art. 14.1."""
