"""Service levels (arts. 8, 11, 13.2, 20; Annexes A and B): maintenance, incidents, claims, credits."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ledger.facts.catalogue import Opening, fact
from ledger.facts.invoices import Period
from ledger.facts.shape import Amount, FactModel, Instant, Name, Quantity, RelationText, Subject

Cause = Literal["outscale", "client", "force_majeure", "security_intervention", "countermeasure"]


@fact("maintenance.announced", "service/SERVICE/maintenance/ID", opening=Opening.OPENS, article="11, 20")
class MaintenanceAnnounced(FactModel):
    """Planned or urgent maintenance (maintenance planifiée ou urgente); arts. 11 and 20."""

    region: Name | None = None
    from_: Instant = Field(alias="from")
    to: Instant
    urgent: bool = False


@fact("maintenance.started", "service/SERVICE/maintenance/ID", opening=Opening.CONTINUES, article="20")
class MaintenanceStarted(FactModel):
    """The maintenance started (début de la maintenance); art. 20."""

    from_: Instant = Field(alias="from")


@fact("maintenance.ended", "service/SERVICE/maintenance/ID", opening=Opening.CONTINUES, article="20")
class MaintenanceEnded(FactModel):
    """The maintenance ended (fin de la maintenance); art. 20."""

    to: Instant


@fact("incident.opened", "service/SERVICE/incident/ID", opening=Opening.OPENS, article="11, Annexe A")
class IncidentOpened(FactModel):
    """An incident began (ouverture d'un incident); art. 11 and Annex A."""

    region: Name | None = None
    zone: Name | None = None
    from_: Instant = Field(alias="from")
    to: Instant | None = None
    cause: Cause | None = None


@fact("incident.closed", "service/SERVICE/incident/ID", opening=Opening.CONTINUES, article="11, Annexe A")
class IncidentClosed(FactModel):
    """An incident ended (clôture d'un incident); art. 11 and Annex A."""

    to: Instant
    cause: Cause | None = None


class ClaimedService(FactModel):
    """One commitment as the client observed it; availability in percent."""

    commitment: Name
    observed: Quantity | None = None


@fact("sla.claimed", "A/claim/ID", opening=Opening.OPENS, article="11")
class SlaClaimed(FactModel):
    """A claim for penalties with its calculation and reserves (demande de pénalités); art. 11."""

    period: Period
    services: list[ClaimedService] | None = None
    reserves: list[Subject] | None = None
    calculation: RelationText | None = None
    amount: Amount | None = None


@fact("sla.credit_granted", "A/claim/ID", opening=Opening.CONTINUES, article="11, Annexe B")
class SlaCreditGranted(FactModel):
    """OUTSCALE granted a credit (crédit à valoir); art. 11 and Annex B."""

    amount: Amount | None = None


@fact("sla.credit_used", "A/claim/ID", opening=Opening.CONTINUES, article="11")
class SlaCreditUsed(FactModel):
    """A credit was used on an invoice (imputation du crédit); art. 11."""

    amount: Amount
    invoice: Subject | None = None


@fact("force_majeure.began", "force-majeure/ID", opening=Opening.OPENS, article="13.2")
class ForceMajeureBegan(FactModel):
    """An event of force majeure began (cas de force majeure); art. 13.2."""

    nature: RelationText | None = None
    services: list[Name] | None = None
    from_: Instant | None = Field(default=None, alias="from")


@fact("force_majeure.ended", "force-majeure/ID", opening=Opening.CONTINUES, article="13.2")
class ForceMajeureEnded(FactModel):
    """The event of force majeure ended (fin de la force majeure); art. 13.2."""

    to: Instant | None = None
