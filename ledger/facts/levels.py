"""Service levels: maintenance, incidents, zones, claims and credits (arts. 8, 11, 20, Annexes A and B)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ledger.facts.catalogue import Opening, fact
from ledger.facts.invoices import Period
from ledger.facts.shape import (
    Amount,
    DayOrInstant,
    FactModel,
    Instant,
    Name,
    Quantity,
    RelationText,
    Subject,
)


class Maintenance(FactModel):
    """Where a maintenance is, and whether it is urgent (maintenance urgente); art. 20."""

    region: Name | None = None
    zone: Name | None = None
    urgent: bool = False


@fact("maintenance.announced", "service/SERVICE/maintenance/ID", opening=Opening.OPENS, article="11, 20")
class MaintenanceAnnounced(Maintenance):
    """A maintenance is planned (maintenance planifiée); arts. 11 and 20.

    It is announced to an account by a ``notification.sent`` about it, whose stamp counts.
    """

    from_: DayOrInstant | None = Field(default=None, alias="from")
    to: DayOrInstant | None = None


@fact("maintenance.started", "service/SERVICE/maintenance/ID", opening=Opening.CONTINUES, article="11, 20")
class MaintenanceStarted(Maintenance):
    """The maintenance began (début de la maintenance); arts. 11 and 20."""

    from_: Instant = Field(alias="from")


@fact("maintenance.ended", "service/SERVICE/maintenance/ID", opening=Opening.CONTINUES, article="11, 20")
class MaintenanceEnded(Maintenance):
    """The maintenance ended (fin de la maintenance); arts. 11 and 20."""

    to: Instant


Cause = Literal["outscale", "client", "force_majeure", "security_intervention", "countermeasure"]
"""Whose doing an incident is; arts. 11 and 13.2, Annex A."""


class Incident(FactModel):
    """Where an incident is, what it strikes and why; arts. 8 and 11.

    ``restartable_from`` is when a stopped Machine Virtuelle could be started again (Annex A, SLA4).
    """

    region: Name | None = None
    zone: Name | None = None
    resources: list[Name] = Field(default=[])
    cause: Cause | None = None
    restartable_from: Instant | None = None


@fact("incident.opened", "service/SERVICE/incident/ID", opening=Opening.OPENS, article="8, 11")
class IncidentOpened(Incident):
    """A service fails (incident, indisponibilité); arts. 8 and 11."""

    from_: Instant | None = Field(default=None, alias="from")
    to: Instant | None = None


@fact("incident.closed", "service/SERVICE/incident/ID", opening=Opening.CONTINUES, article="8, 11")
class IncidentClosed(Incident):
    """The service is restored (fin de l'incident); arts. 8 and 11."""

    from_: Instant | None = Field(default=None, alias="from")
    to: Instant


@fact("region.zones_published", "region/REGION", opening=Opening.EITHER, article="Annexe A")
class RegionZonesPublished(FactModel):
    """Which availability zones a Region has (Zones de disponibilité d'une Région); Annex A."""

    zones: list[Name]
    effective: DayOrInstant | None = None


class ClaimedService(FactModel):
    """A commitment (engagement de Qualité de Service) and the availability that the client observed (Sc)."""

    commitment: Name
    observed: Quantity | None = None
    service: Name | None = None
    resource_id: Name | None = None


@fact("sla.claimed", "A/claim/ID", opening=Opening.OPENS, article="11")
class SlaClaimed(FactModel):
    """The client claims penalties (notification de l'application des pénalités); art. 11.

    ``calculation`` is the client's own (calcul du CLIENT), ``reserves`` the subjects of the reserves
    that it rests on.
    """

    period: Period | None = None
    services: list[ClaimedService] = Field(default=[])
    reserves: list[Subject] = Field(default=[])
    calculation: RelationText | None = None
    amount: Amount | None = None


@fact("sla.credit_granted", "A/claim/ID", opening=Opening.CONTINUES, article="11, Annexe B")
class SlaCreditGranted(FactModel):
    """OUTSCALE granted a credit (crédit à valoir); art. 11, Annex B."""

    amount: Amount
    calculation: RelationText | None = None


@fact("sla.credit_used", "A/claim/ID", opening=Opening.CONTINUES, article="11")
class SlaCreditUsed(FactModel):
    """A credit was set against an invoice (imputation du crédit); art. 11."""

    amount: Amount
    invoice: Subject | None = None
