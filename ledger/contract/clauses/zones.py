"""Deployment over every availability zone of the Region, which the starred commitments need (Annex A)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ledger.contract.clauses.windows import Window
from ledger.contract.finding import Conclusion, Reason, clause
from ledger.contract.terms import Commitment


@dataclass(frozen=True, slots=True)
class Named:
    """Zones of one Region that a fact names, from an instant on."""

    fact: Reason
    since: datetime
    region: str
    zones: frozenset[str]


@dataclass(frozen=True, slots=True)
class Zones:
    """Which zones there are (published, else as the account was opened), and where the client is."""

    published: tuple[Named, ...] = ()
    opened: tuple[Named, ...] = ()
    deployed: tuple[Named, ...] = ()

    def existing(self, region: str, at: datetime) -> Named | None:
        """What tells which zones a Region has at an instant.

        Before the first publication it is what the account was opened with, else that publication.
        """
        published = [row for row in self.published if row.region == region]
        opened = [row for row in self.opened if row.region == region]
        known = _latest(published, at) or _latest(opened, at)
        return known or min((*opened, *published), key=lambda row: row.since, default=None)

    def client(self, region: str, at: datetime) -> Named | None:
        """Where the client says it is in a Region at an instant."""
        return _latest([row for row in self.deployed if row.region == region], at)

    def changes(self, region: str) -> list[datetime]:
        """The instants at which any of it changes."""
        rows = (*self.published, *self.opened, *self.deployed)
        return sorted(row.since for row in rows if row.region == region)


def _latest(rows: list[Named], at: datetime) -> Named | None:
    return max(
        (row for row in rows if row.since <= at),
        key=lambda row: (row.since, row.fact.position),
        default=None,
    )


@clause("Annexe A")
def deployment_over_zones(
    commitment: Commitment, zones: Zones, region: str | None, window: Window, as_of: datetime
) -> Conclusion[bool]:
    """Whether a commitment applies: a starred one only if every zone was deployed the whole window long.

    « Dans le cas où, alors que c’est possible, le CLIENT décide de ne pas déployer dans toutes les Zones de
    disponibilité de la Région, il ne pourra pas demander l’application du SLA. Ces SLAs sont marqués d’une
    étoile (*). » The client proves it: a Region or zones that are not known do not help it.
    """
    if not commitment.every_zone:
        return Conclusion(value=True)
    return Conclusion(*zones_covered(zones, region, window.span.start, window.span.end, as_of))


def zones_covered(
    zones: Zones,
    region: str | None,
    start: datetime,
    end: datetime,
    as_of: datetime,
    *,
    several: bool = False,
) -> tuple[bool, tuple[Reason, ...]]:
    """Whether every zone of a Region was deployed all the time from ``start`` to ``end``, and the facts.

    ``several`` asks that there be more than one.
    """
    if region is None:
        return False, ()
    because: list[Reason] = []
    inside = [at for at in zones.changes(region) if start < at < end and at <= as_of]
    everywhere = True
    for at in (start, *inside):
        existing, client = zones.existing(region, at), zones.client(region, at)
        because += [row.fact for row in (existing, client) if row is not None]
        covered = existing is not None and client is not None and existing.zones <= client.zones
        enough = existing is not None and len(existing.zones) > (1 if several else 0)
        everywhere = everywhere and covered and enough
    return everywhere, tuple(dict.fromkeys(because))
