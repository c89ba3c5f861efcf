"""What strikes services, and where the client is: the facts that keep reserved time from counting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from ledger import instants
from ledger.contract.clauses.downtime import Maintenance, Place, Trouble
from ledger.contract.clauses.levels import BetaUse, month_bit
from ledger.contract.clauses.usage import region_of
from ledger.contract.clauses.windows import Interval
from ledger.contract.clauses.zones import Named, Zones
from ledger.contract.finding import Reason
from ledger.contract.terms import Terms
from ledger.facts.accounts import AccountInformation, AccountZonesDeployed
from ledger.facts.agreements import PricePublished
from ledger.facts.damages import ForceMajeure
from ledger.facts.levels import (
    IncidentClosed,
    IncidentOpened,
    MaintenanceAnnounced,
    MaintenanceEnded,
    MaintenanceStarted,
    RegionZonesPublished,
)
from ledger.facts.recorded import Recorded
from projections.cited import Cited
from projections.days import end_of, instant_of
from projections.notifications import Post

TROUBLE_TYPES = frozenset(
    {
        "maintenance.announced",
        "maintenance.started",
        "maintenance.ended",
        "incident.opened",
        "incident.closed",
        "force_majeure.began",
        "force_majeure.ended",
    }
)
PLACE_TYPES = frozenset(
    {"account.opened", "account.corrected", "account.zones_deployed", "region.zones_published"}
)

_FOREVER = instants.utc_midnight(date.max)
_INSTANT = timedelta(microseconds=1)


@dataclass
class Troubles:
    """Maintenances, incidents and force majeure by subject, as facts come in."""

    terms: Terms
    by_subject: dict[str, list[Recorded]] = field(default_factory=dict)

    def take(self, fact: Recorded) -> None:
        """Add a fact."""
        self.by_subject.setdefault(fact.subject, []).append(fact)

    def incidents(self) -> Iterator[Trouble]:
        """Incidents and events of force majeure, each with the cause last given."""
        for facts in self.by_subject.values():
            kind = facts[0].type.partition(".")[0]
            if kind == "incident":
                yield self._incident(facts)
            elif kind == "force_majeure":
                yield self._force_majeure(facts)

    def _incident(self, facts: list[Recorded]) -> Trouble:
        """An incident that names no hour began at its legal time; one that is not closed still runs."""
        known: dict[str, Any] = {}
        for fact in facts:
            data = fact.data
            if isinstance(data, IncidentOpened | IncidentClosed):
                known |= {
                    name: value
                    for name in ("from_", "to", "cause", "region", "zone", "resources", "restartable_from")
                    if (value := getattr(data, name))
                }
        start = known.get("from_", facts[0].legal_time)
        return Trouble(
            tuple(facts),
            known.get("cause"),
            Interval(start, known.get("to", _FOREVER)),
            self._struck(facts[0].subject),
            known.get("region"),
            known.get("zone"),
            frozenset(known.get("resources", ())),
            known.get("restartable_from"),
        )

    def _force_majeure(self, facts: list[Recorded]) -> Trouble:
        start, end, services = facts[0].legal_time, _FOREVER, set[str]()
        for fact in facts:
            data = fact.data
            if not isinstance(data, ForceMajeure):
                continue
            start = instant_of(data.from_) or start
            if data.to is not None or fact.type == "force_majeure.ended":
                end = end_of(data.to) or fact.legal_time
            services |= {self.terms.service_named(name) for name in data.services}
        return Trouble(tuple(facts), "force_majeure", Interval(start, end), frozenset(services))

    def maintenances(self, post: Post) -> Iterator[Maintenance]:
        """Maintenances, with the account's notifications about each."""
        for subject, facts in self.by_subject.items():
            announced = next((fact.data for fact in facts if fact.type == "maintenance.announced"), None)
            if isinstance(announced, MaintenanceAnnounced):
                yield self._maintenance(subject, facts, announced, post)

    def _maintenance(
        self, subject: str, facts: list[Recorded], announced: MaintenanceAnnounced, post: Post
    ) -> Maintenance:
        done = [fact.data for fact in facts]
        started = [data.from_ for data in done if isinstance(data, MaintenanceStarted)]
        ended = [data.to for data in done if isinstance(data, MaintenanceEnded)]
        notices = [post.notification(sent) for sent in post.sent.values() if sent.about == subject]
        begins = instant_of(announced.from_)
        return Maintenance(
            Trouble(
                tuple(facts),
                "maintenance",
                Interval(begins or facts[0].legal_time, end_of(announced.to) or _FOREVER),
                self._struck(subject),
                announced.region,
                announced.zone,
            ),
            begins,
            end_of(announced.to),
            min(started, default=None),
            max(ended, default=None),
            any(getattr(data, "urgent", False) for data in done),
            tuple(notices),
        )

    def _struck(self, subject: str) -> frozenset[str]:
        """The service that a subject such as ``service/fcu/incident/I-1`` is of."""
        return frozenset({self.terms.service_named(subject.split("/")[1])})


@dataclass
class Places:
    """Where the client, its resources and the zones of Regions are, as facts come in."""

    region: str | None = None
    subregions: dict[str, str] = field(default_factory=dict)
    published: list[Named] = field(default_factory=list)
    opened: list[Named] = field(default_factory=list)
    deployed: list[Named] = field(default_factory=list)

    def take(self, fact: Recorded) -> None:
        """Add a fact."""
        data = fact.data
        if isinstance(data, AccountInformation):
            self.region = data.region or self.region
            self.opened += _named(fact, fact.legal_time, data.zones)
        elif isinstance(data, AccountZonesDeployed):
            self.deployed += _named(fact, instant_of(data.from_) or fact.legal_time, data.zones)
        elif isinstance(data, RegionZonesPublished):
            since = instant_of(data.effective) or fact.legal_time
            self.published += _named(fact, since, {fact.subject.split("/")[1]: data.zones})

    def zones(self) -> Zones:
        """What is known of zones."""
        return Zones(tuple(self.published), tuple(self.opened), tuple(self.deployed))

    def place(self, services: frozenset[str], resource_id: str | None) -> Place:
        """Where something is: where its resource was metered, else in the account's Region."""
        subregion = None if resource_id is None else self.subregions.get(resource_id)
        region = region_of(subregion, self.region)
        if region is None:
            regions = {row.region for row in (*self.opened, *self.deployed)}
            region = regions.pop() if len(regions) == 1 else None
        return Place(services, resource_id, region, subregion)


def _named(fact: Recorded, since: datetime, zones: dict[str, list[str]]) -> list[Named]:
    return [Named(fact, since, region, frozenset(names)) for region, names in zones.items()]


@dataclass(frozen=True, slots=True)
class _Beta:
    """One entry metered as Beta."""

    fact: Reason
    service: str
    resource_id: str | None
    month: str
    span: Interval


@dataclass
class Metered:
    """What was metered as Beta and what was not, by service and resource and by month of Paris.

    An entry is of a Beta service when it says so, or when the tariff in force at its start does.
    """

    terms: Terms
    places: Places
    _plain: dict[tuple[str, str | None], int] = field(default_factory=dict)
    _bits: dict[str, int] = field(default_factory=dict)
    _betas: dict[tuple[str, int], _Beta] = field(default_factory=dict)
    _lengths: dict[str, int] = field(default_factory=dict)
    _tariffs: dict[tuple[str, str | None], list[tuple[datetime, Reason, bool]]] = field(default_factory=dict)
    _months: dict[str, str] = field(default_factory=dict)
    _priced: bool = False
    _names: dict[str, str] = field(default_factory=dict)

    def price(self, fact: Recorded) -> None:
        """Take a price, which says whether a service, or a type of resource, is in Beta."""
        data = fact.data
        if isinstance(data, PricePublished):
            key = self._service(data.service), data.resource
            since = instant_of(data.effective) or fact.legal_time
            self._tariffs.setdefault(key, []).append((since, Cited.of(fact), data.beta))
            self._priced = self._priced or data.beta

    def take(self, fact: Recorded) -> None:
        """Take a delivery, or a correction, whose entries are numbered after the last one."""
        data, subject = fact.fields["data"], fact.subject
        for number in data.get("replaces", ()):
            self._betas.pop((subject, number), None)
        first = self._lengths.get(subject, 0)
        for number, entry in enumerate(data.get("entries", ()), first):
            self._enter(fact, number, entry)
        self._lengths[subject] = first + len(data.get("entries", ()))

    def _enter(self, fact: Recorded, number: int, entry: dict[str, Any]) -> None:
        service, resource_id = self._service(entry["service"]), entry.get("resource_id")
        month = self._month(entry["from"])
        if resource_id is not None and entry.get("subregion") is not None:
            self.places.subregions[resource_id] = entry["subregion"]
        if entry.get("beta", False) or (self._priced and self._priced_beta(service, entry)):
            start, end = datetime.fromisoformat(entry["from"]), datetime.fromisoformat(entry["to"])
            span = Interval(start, end + _INSTANT)
            self._betas[fact.subject, number] = _Beta(Cited.of(fact), service, resource_id, month, span)
        else:
            bit = self._bits.get(month) or self._bits.setdefault(month, month_bit(month))
            for key in ((service, resource_id), (service, None)):
                self._plain[key] = self._plain.get(key, 0) | bit

    def _service(self, name: str) -> str:
        if name not in self._names:
            self._names[name] = self.terms.service_named(name)
        return self._names[name]

    def _priced_beta(self, service: str, entry: dict[str, Any]) -> bool:
        for key in dict.fromkeys(((service, entry.get("resource")), (service, None))):
            if key in self._tariffs:
                found = self._tariff(key, datetime.fromisoformat(entry["from"]))
                if found is not None:
                    return found[1]
        return False

    def _tariff(self, key: tuple[str, str | None], at: datetime) -> tuple[Reason, bool] | None:
        """The tariff in force at an instant: the one that took effect last."""
        rows = [row for row in self._tariffs[key] if row[0] <= at]
        return max(rows, key=lambda row: row[0])[1:] if rows else None

    def _month(self, start: str) -> str:
        hour = start[:13]
        if hour not in self._months:
            self._months[hour] = f"{instants.paris_date(datetime.fromisoformat(start)):%Y-%m}"
        return self._months[hour]

    def use(self, as_of: datetime) -> BetaUse:
        """What is known of Beta use; tariffs are those in force at ``as_of``."""
        spans: dict[tuple[str, str | None], dict[str, Interval]] = {}
        facts: dict[tuple[str, str | None], Reason] = {}
        for row in self._betas.values():
            for key in dict.fromkeys(((row.service, row.resource_id), (row.service, None))):
                had = spans.setdefault(key, {}).get(row.month, row.span)
                spans[key][row.month] = Interval(min(had.start, row.span.start), max(had.end, row.span.end))
                facts.setdefault(key, row.fact)
        tariffs = {
            key[0]: found
            for key in self._tariffs
            if key[1] is None and (found := self._tariff(key, as_of)) is not None
        }
        return BetaUse(spans, self._plain, facts, tariffs)
