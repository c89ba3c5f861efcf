"""Downtime that counts against a service level (arts. 11, 13.2, 20, Annex A).

Only what was reserved under art. 9.4 counts, less maintenance announced to the account in time, less
interventions that protect against an exceptional risk, less what is the client's fault, force majeure
or a counter-measure. Intervals are half-open and in UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from ledger import instants
from ledger.contract.clauses.notification import ADDRESS_READINGS, Addresses, Notification
from ledger.contract.clauses.reserves import Reserve, facts_of
from ledger.contract.clauses.windows import Interval, common, length, union, without
from ledger.contract.finding import Conclusion, Readings, Reason, clause
from ledger.contract.readings import weighed
from ledger.contract.terms import Commitment, InForce

MaintenanceStanding = Literal["planned", "urgent", "short_notice", "not_announced"]

EXCUSES = frozenset({"client", "force_majeure", "security_intervention", "countermeasure", "maintenance"})
"""Causes whose time never counts; what is OUTSCALE's doing, or nobody's, does."""


@dataclass(frozen=True, slots=True)
class Place:
    """What an unavailability is of: the names of its service, its resource, and where that is."""

    services: frozenset[str]
    resource_id: str | None = None
    region: str | None = None
    subregion: str | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that happened to services for a time, and its cause; what is left out is not restricted.

    ``restartable_from`` is when a machine that it stopped could be started again.
    """

    facts: tuple[Reason, ...]
    cause: str | None
    span: Interval
    services: frozenset[str] = frozenset()
    region: str | None = None
    zone: str | None = None
    resources: frozenset[str] = frozenset()
    restartable_from: datetime | None = None

    def strikes(self, place: Place) -> bool:
        """Whether it is about this service, there: a place that is not known is not held to be elsewhere."""
        return (
            (not self.services or bool(self.services & place.services))
            and (self.region is None or place.region is None or self.region == place.region)
            and (self.zone is None or place.subregion is None or self.zone == place.subregion)
            and (not self.resources or place.resource_id in self.resources)
        )


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A maintenance as announced and as done, and the notifications of the account about it."""

    trouble: Trouble
    announced_from: datetime | None
    announced_to: datetime | None
    done_from: datetime | None = None
    done_to: datetime | None = None
    urgent: bool = False
    notices: tuple[Notification, ...] = ()

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """The maintenance and its notices."""
        return (*self.trouble.facts, *(notice.fact for notice in self.notices))

    @property
    def span(self) -> Interval | None:
        """The time that it excuses: as announced, at most as done."""
        starts = [row for row in (self.announced_from, self.done_from) if row is not None]
        ends = [row for row in (self.announced_to, self.done_to) if row is not None]
        if self.announced_from is None or not ends or max(starts) >= min(ends):
            return None
        return Interval(max(starts), min(ends))


@clause("11, 20")
def maintenance_notice(
    maintenance: Maintenance, addresses: Addresses, terms: InForce, readings: Readings
) -> Conclusion[MaintenanceStanding]:
    """Whether a maintenance was planned and announced to this account in time, so that it excuses.

    « On doit décompter des temps de disponibilité les interventions de maintenance planifiées, sous réserve
    que OUTSCALE en ait averti le CLIENT au moins deux jours francs à l’avance. » An urgent one never is:
    « OUTSCALE peut aussi être amenée à faire des maintenances urgentes ».
    """
    return weighed(
        readings,
        ADDRESS_READINGS,
        lambda chosen: Conclusion(
            notice_of(maintenance, addresses, terms, chosen), (*maintenance.reasons, *_known(addresses))
        ),
    )


def _known(addresses: Addresses) -> tuple[Reason, ...]:
    return tuple(row.fact for row in addresses.known)


def notice_of(
    maintenance: Maintenance, addresses: Addresses, terms: InForce, readings: Readings
) -> MaintenanceStanding:
    """What the notice of a maintenance is worth under one choice of readings."""
    if maintenance.urgent:
        return "urgent"
    told = [notice for notice in maintenance.notices if _reached(notice, addresses, readings)]
    starts = maintenance.announced_from
    if starts is None or not told:
        return "not_announced"
    days = terms.at(starts).maintenance.notice_clear_days
    last = instants.latest_notice_date(instants.paris_date(starts), days)
    in_time = any(instants.paris_date(notice.left_at) <= last for notice in told)
    return "planned" if in_time else "short_notice"


def _reached(notice: Notification, addresses: Addresses, readings: Readings) -> bool:
    """Whether a notice was made to the account: art. 11 names no channel, but a mail goes to its address."""
    right = addresses.when(notice.left_at, readings)
    return notice.channel != "email" or (right is not None and notice.to == right.address)


def excused_by(
    maintenances: Iterable[Maintenance], addresses: Addresses, terms: InForce, readings: Readings
) -> tuple[Trouble, ...]:
    """Planned maintenances as troubles whose time does not count."""
    return tuple(
        Trouble(
            row.reasons,
            "maintenance",
            row.span,
            row.trouble.services,
            row.trouble.region,
            row.trouble.zone,
            row.trouble.resources,
        )
        for row in maintenances
        if row.span is not None and notice_of(row, addresses, terms, readings) == "planned"
    )


@dataclass(frozen=True, slots=True)
class Reserved:
    """A reserve that counts: the outage that it documents, and what it covers of it."""

    reserve: Reserve
    documented: Interval
    covered: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class Excluded:
    """Reserved time that does not count, and why."""

    span: Interval
    why: str

    def to_json(self) -> dict[str, object]:
        """As the interface gives it."""
        return {"from": self.span.start, "to": self.span.end, "why": self.why}


@dataclass(frozen=True, slots=True)
class Downtime:
    """Of one window: what was reserved, what of it does not count, and what does."""

    reserved: tuple[Interval, ...] = ()
    excluded: tuple[Excluded, ...] = ()
    counted: tuple[Interval, ...] = ()
    because: tuple[Reason, ...] = ()

    @property
    def lost(self) -> timedelta:
        """How long the service was unavailable."""
        return length(self.counted)


@dataclass(frozen=True, slots=True)
class Excuses:
    """Everything that may keep reserved time from counting; ``beta`` is when the service was a Beta one."""

    troubles: tuple[Trouble, ...] = ()
    beta: Interval | None = None

    def at(self, place: Place) -> tuple[Trouble, ...]:
        """The troubles that strike a place, in order of time."""
        found = (row for row in self.troubles if row.strikes(place))
        return tuple(sorted(found, key=lambda row: row.span))


def downtime(
    reserved: Sequence[Reserved],
    window: Interval,
    place: Place,
    commitment: Commitment,
    excuses: Excuses,
) -> Downtime:
    """What counts in a window of the outages that reserves cover.

    Outages that overlap or touch are one: it is counted once, and its first minutes are the first of
    the whole, whichever window it began in.
    """
    covered = union(part for row in reserved for part in common(row.covered, window))
    if not covered:
        return Downtime()
    outages = union(row.documented for row in reserved)
    troubles = excuses.at(place)
    candidates: list[tuple[Interval, str, tuple[Reason, ...]]] = [
        (row.span, row.cause, row.facts) for row in troubles if row.cause in EXCUSES and row.cause is not None
    ]
    candidates += ((span, "first_minutes", ()) for span in _first_minutes(outages, commitment))
    if commitment.until_restartable:
        candidates += ((span, "restartable", facts) for span, facts in _restartable(outages, troubles))
    if excuses.beta is not None:
        candidates.append((excuses.beta, "beta", ()))
    excluded: list[Excluded] = []
    because = [fact for row in reserved for fact in facts_of(row.reserve)]
    for span, why, facts in candidates:
        parts = [part for row in covered if (part := span.within(row)) is not None]
        excluded += (Excluded(part, why) for part in parts)
        because += facts if parts else ()
    excluded.sort(key=lambda row: (row.span, row.why))
    counted = without(covered, (row.span for row in excluded))
    return Downtime(covered, tuple(excluded), counted, tuple(dict.fromkeys(because)))


def _first_minutes(outages: Iterable[Interval], commitment: Commitment) -> list[Interval]:
    """« les premières 2 minutes ne sont jamais prises en compte »."""
    grace = timedelta(minutes=commitment.first_minutes)
    return [Interval(row.start, row.start + grace) for row in outages] if grace else []


def _restartable(
    outages: Iterable[Interval], troubles: Sequence[Trouble]
) -> list[tuple[Interval, tuple[Reason, ...]]]:
    """When a stopped machine could be started again and was not: the time that its client took.

    « le temps pendant lequel, suite à l’arrêt de la ressource, le CLIENT est dans l’impossibilité de la
    redémarrer » ends there, until another incident begins.
    """
    ours = [row for row in troubles if row.cause not in EXCUSES]
    found = []
    for outage in outages:
        for row in ours:
            again = row.restartable_from
            if again is None or not outage.meets(Interval(row.span.start, max(row.span.end, again))):
                continue
            others = [other for other in ours if other is not row]
            running = [
                other.restartable_from or other.span.end for other in others if other.span.start <= again
            ]
            start = max((again, outage.start, *running))
            end = min((outage.end, *(other.span.start for other in others if other.span.start > start)))
            if start < end:
                found.append((Interval(start, end), row.facts))
    return found
