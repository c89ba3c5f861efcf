"""Security and reasonable use (arts. 8, 9.1, 9.2, 9.3, 21.3)."""

from __future__ import annotations

from pydantic import Field

from ledger.facts.catalogue import Opening, fact
from ledger.facts.shape import Amount, Currency, DayOrInstant, FactModel, Name, RelationText, Segment


class AccessKeys(FactModel):
    """Access keys by their identifiers (Clés d'Accès au Service, AK; never the secret SK); art. 9.1."""

    keys: list[Name] = Field(default=[])
    reason: RelationText | None = None


@fact("access_keys.renewal_requested", "A/access-keys/ID", opening=Opening.OPENS, article="9.1")
class AccessKeysRenewalRequested(AccessKeys):
    """OUTSCALE asks for new access keys (demande de régénération des Clés d'Accès); art. 9.1: 24 h."""


@fact("access_keys.renewed", "A/access-keys/ID", opening=Opening.CONTINUES, article="9.1")
class AccessKeysRenewed(AccessKeys):
    """The client renewed its access keys (régénération des Clés d'Accès); art. 9.1."""


@fact("operation.announced", "A/operation/ID", opening=Opening.OPENS, article="9.3")
class OperationAnnounced(FactModel):
    """The client announces an operation that raises load (accroissement important); art. 9.3: 72 h."""

    from_: DayOrInstant | None = Field(default=None, alias="from")
    to: DayOrInstant | None = None
    nature: RelationText | None = None
    expected_increase: RelationText | None = None


@fact("abuse.found", "A/abuse/ID", opening=Opening.OPENS, article="9.2")
class AbuseFound(FactModel):
    """OUTSCALE found abnormal use (utilisation anormale); art. 9.2.

    ``nature`` is a word such as ``flood``, ``scan``, ``spam``, ``denial_of_service``, ``mining`` or
    ``premature_wear``.
    """

    nature: Name | None = None
    description: RelationText | None = None
    resources: list[Name] = Field(default=[])


@fact("abuse.cost_claimed", "A/abuse/ID", opening=Opening.CONTINUES, article="9.2")
class AbuseCostClaimed(FactModel):
    """OUTSCALE claims what it replaced (indemnisation des matériels); art. 9.2.

    ``invoice`` is the number of the supplier's invoice (facture du fournisseur).
    """

    invoice: Name | None = None
    amount: Amount | None = None
    currency: Currency = "EUR"


class Flaw(FactModel):
    """A security flaw, known or suspected (faille de sécurité); art. 21.3."""

    description: RelationText | None = None


@fact("flaw.reported", "flaw/ID", opening=Opening.OPENS, article="21.3")
class FlawReported(Flaw):
    """Somebody reported a flaw (signalement d'une faille); art. 21.3."""

    reporter: RelationText | None = None


@fact("flaw.closed", "flaw/ID", opening=Opening.CONTINUES, article="21.3")
class FlawClosed(Flaw):
    """The flaw is dealt with (clôture du signalement); art. 21.3."""


class SecurityIncident(FactModel):
    """A security incident (incident de sécurité), its accounts and what is advised; art. 8."""

    nature: RelationText | None = None
    accounts: list[Segment] = Field(default=[])
    measures: RelationText | None = None


@fact("security_incident.found", "service/SERVICE/security-incident/ID", opening=Opening.OPENS, article="8")
class SecurityIncidentFound(SecurityIncident):
    """An event was qualified as a security incident (qualification en incident de sécurité); art. 8."""


@fact(
    "security_incident.communicated",
    "service/SERVICE/security-incident/ID",
    opening=Opening.CONTINUES,
    article="8",
)
class SecurityIncidentCommunicated(SecurityIncident):
    """Clients were told of it and what to do (communication sans délai, préconisations); art. 8."""


@fact(
    "security_incident.closed", "service/SERVICE/security-incident/ID", opening=Opening.CONTINUES, article="8"
)
class SecurityIncidentClosed(SecurityIncident):
    """The incident is resolved (résolution de l'incident de sécurité); art. 8."""
