"""Service levels: what each commitment of Annex A promised, and what was observed (arts. 11, 24, 25).

One row for each commitment, resource and window. Availability is an exact fraction: what counts as
downtime over the length of the window in Paris; excluded time stays in the denominator.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import cached_property

from ledger import money
from ledger.contract.clauses.downtime import (
    Downtime,
    Excuses,
    Maintenance,
    Place,
    Reserved,
    Trouble,
    downtime,
    excused_by,
)
from ledger.contract.clauses.notification import ADDRESS_READINGS, Addresses
from ledger.contract.clauses.reserves import RESERVE_READINGS, Reserve, Reserves, claim_limit
from ledger.contract.clauses.windows import (
    Interval,
    Window,
    calendar_windows,
    common,
    seconds,
    sliding_windows,
    union,
)
from ledger.contract.clauses.zones import Zones, deployment_over_zones
from ledger.contract.finding import Conclusion, Readings, Reason, clause
from ledger.contract.readings import choice, weighed
from ledger.contract.terms import Commitment, InForce

DOWNTIME_READINGS = (*RESERVE_READINGS, *ADDRESS_READINGS, "R19")
"""The readings on which what counts as downtime may depend."""

MEASURED_BY_TIME = frozenset({"availability", "iops"})
"""Promises whose breach is a length of time; durability and latency are not."""

_HUNDRED = 100
_FIRST_YEAR = 1900  # no instant of a fact is earlier


@dataclass(frozen=True, slots=True)
class Target:
    """What a row is about: a commitment, the service as the client names it, and its resource."""

    commitment: str
    service: str
    resource_id: str | None


def month_bit(month: str) -> int:
    """A month such as ``2021-06`` as one bit, so that the months of many resources take little room."""
    year, number = month.split("-")
    return 1 << (12 * (int(year) - _FIRST_YEAR) + int(number))


@dataclass(frozen=True, slots=True)
class BetaUse:
    """When services were metered as Beta, by (service, resource) and by month of Paris.

    ``spans`` holds the first and last instant metered as Beta, ``plain`` the months in which something was
    metered that is not, each by its ``month_bit``. Without a resource the key stands for all of them.
    """

    spans: Mapping[tuple[str, str | None], Mapping[str, Interval]] = field(default_factory=dict)
    plain: Mapping[tuple[str, str | None], int] = field(default_factory=dict)
    facts: Mapping[tuple[str, str | None], Reason] = field(default_factory=dict)
    tariffs: Mapping[str, tuple[Reason, bool]] = field(default_factory=dict)

    def only(self, key: tuple[str, str | None], window: Window) -> Reason | None:
        """What tells that the whole window is of a Beta service; ``None`` when it is not."""
        months = window.months
        if any(self.plain.get(key, 0) & month_bit(month) for month in months):
            return None
        if any(month in self.spans.get(key, ()) for month in months):
            return self.facts[key]
        fact, beta = self.tariffs.get(key[0], (None, False))
        return fact if beta else None

    def part(self, key: tuple[str, str | None], window: Window) -> Interval | None:
        """The part of a window in which a resource was of a Beta service, before it became another."""
        found = [span for month, span in self.spans.get(key, {}).items() if month in window.months]
        if key[1] is None or not found:
            return None
        return Interval(min(span.start for span in found), max(span.end for span in found))


@dataclass(frozen=True, slots=True)
class Routing:
    """A reserve's way to the commitments: its service and place, and which of them its claims name."""

    reserve: Reserve
    place: Place
    named: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Case:
    """Everything that the service levels of an account rest on, as of an instant."""

    reserves: Reserves
    routings: tuple[Routing, ...]
    terms: InForce
    as_of: datetime
    troubles: tuple[Trouble, ...] = ()
    maintenances: tuple[Maintenance, ...] = ()
    addresses: Addresses = field(default_factory=Addresses)
    zones: Zones = field(default_factory=Zones)
    beta: BetaUse = field(default_factory=BetaUse)


@dataclass(frozen=True, slots=True)
class Figure:
    """One commitment over one window: what it promised and what its downtime was."""

    target: Target
    window: Window
    place: Place
    commitment: Commitment
    downtime: Downtime

    @property
    def observed(self) -> Fraction:
        """The availability observed (Sc), as a fraction of 1."""
        return self._less(self.downtime.counted)

    @property
    def promised(self) -> Fraction:
        """The availability promised (Sg), as a fraction of 1."""
        return Fraction(self.commitment.promised) / _HUNDRED

    @property
    def shortfall(self) -> Fraction:
        """Sg − Sc, nil when the promise was kept."""
        return max(self.promised - self.observed, Fraction(0))

    @property
    def reserved_shortfall(self) -> Fraction:
        """What the shortfall would be if no reserved time were excluded."""
        return max(self.promised - self._less(self.downtime.reserved), Fraction(0))

    def _less(self, lost: Iterable[Interval]) -> Fraction:
        span = self.window.span
        gone = sum((seconds(row.end - row.start) for row in lost), start=Fraction(0))
        return 1 - gone / seconds(span.end - span.start)


def percent(fraction: Fraction) -> Decimal:
    """A fraction of 1 in percent, written as Annex A does; cut after 18 decimals if it does not end."""
    written = money.unrounded(fraction * _HUNDRED).normalize()
    return written.quantize(Decimal(1)) if written == written.to_integral_value() else written


class Levels:
    """The figures of an account under any readings; each choice of readings is worked out once."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self._rows: dict[frozenset[tuple[str, int]], tuple[Figure, ...]] = {}
        self._maintenances: dict[frozenset[tuple[str, int]], tuple[Trouble, ...]] = {}

    def rows(self, readings: Readings) -> tuple[Figure, ...]:
        """Every row under a choice of readings: by commitment, resource, then window."""
        key = frozenset(readings.chosen.items())
        if key not in self._rows:
            self._rows[key] = tuple(
                self.figure(target, window, readings)
                for target in self.targets()
                for window in self.windows(target, readings)
            )
        return self._rows[key]

    def like(self, row: Figure, readings: Readings) -> Figure | None:
        """The row of the same commitment and resource under other readings.

        It is that of the same window, or else the worst of those that share a day with it.
        """
        found = [
            other
            for other in self.rows(readings)
            if other.target == row.target and other.window.overlaps(row.window)
        ]
        same = [other for other in found if other.window == row.window]
        return min(same or found, key=lambda other: other.observed, default=None)

    def targets(self) -> list[Target]:
        """What the reserves of the account are about, whatever they are worth."""
        return sorted(self._fed, key=lambda row: (row.commitment, row.service, row.resource_id or ""))

    def feeding(self, target: Target, only: frozenset[str] | None = None) -> list[Routing]:
        """The reserves about a target; those named, when some are."""
        rows = self._fed.get(target, [])
        return [row for row in rows if only is None or row.reserve.fact.subject in only]

    @cached_property
    def _fed(self) -> dict[Target, list[Routing]]:
        found: dict[Target, list[Routing]] = {}
        for row in self.case.routings:
            for target in self._targets_of(row):
                found.setdefault(target, []).append(row)
        return found

    def _planned(self, readings: Readings) -> tuple[Trouble, ...]:
        """The maintenances that excuse."""
        case, key = self.case, frozenset(readings.chosen.items())
        if key not in self._maintenances:
            self._maintenances[key] = excused_by(case.maintenances, case.addresses, case.terms, readings)
        return self._maintenances[key]

    def _targets_of(self, routing: Routing) -> set[Target]:
        """The commitments that a reserve is about: those of its service that a claim names, or its own.

        Only a reserve that names no resource can be about the service as a whole.
        """
        reserve = routing.reserve
        if reserve.service is None or reserve.unavailable_from is None:
            return set()
        rows = [
            row
            for row in self.case.terms.at(reserve.unavailable_from).commitments
            if row.measure in MEASURED_BY_TIME and row.window is not None
        ]
        named = [
            row
            for row in rows
            if row.name in routing.named
            and reserve.service in row.services
            and not (row.whole_service and reserve.resource_id is not None)
        ]
        own = [row for row in rows if reserve.service in row.fed_by or reserve.service == row.name]
        service = reserve.service
        return {Target(row.name, service, reserve.resource_id) for row in named or own}

    def commitment(self, target: Target, instant: datetime) -> Commitment:
        """A commitment as the terms in force at an instant promise it."""
        rows = self.case.terms.at(instant).commitments
        return next(row for row in rows if row.name == target.commitment)

    def windows(self, target: Target, readings: Readings, only: frozenset[str] | None = None) -> list[Window]:
        """The windows of a target (R19): calendar ones, or the worst sliding ones that share no day."""
        outages = [row for routing in self.feeding(target, only) if (row := documented(routing.reserve))]
        if not outages:
            return []
        kind = self.commitment(target, outages[0].start).window or "month"
        fixed = list(calendar_windows(kind, outages))
        if choice(readings, "R19") == 1:
            return fixed
        figures = [
            self.figure(target, window, readings, only)
            for window in {*fixed, *sliding_windows(kind, union(outages))}
        ]
        worst: list[Window] = []
        for found in sorted(figures, key=lambda row: (row.observed, row.window not in fixed, row.window)):
            if found.downtime.counted and not any(found.window.overlaps(other) for other in worst):
                worst.append(found.window)
        return sorted(worst) or fixed

    def figure(
        self, target: Target, window: Window, readings: Readings, only: frozenset[str] | None = None
    ) -> Figure:
        """What a target's reserves, or those of them that are named, amount to in a window."""
        case, routings = self.case, self.feeding(target, only)
        reserved = [part for row in routings if (part := self._reserved(row, window, readings)) is not None]
        starts = [outage.start for row in routings if (outage := documented(row.reserve)) is not None]
        commitment = self.commitment(target, max(window.span.start, min(starts, default=window.span.start)))
        place = routings[0].place if routings else Place(frozenset({target.service}))
        beta = case.beta.part((target.service, target.resource_id), window)
        excuses = Excuses((*case.troubles, *self._planned(readings)), beta)
        lost = downtime(reserved, window.span, place, commitment, excuses)
        return Figure(target, window, place, commitment, lost)

    def _reserved(self, routing: Routing, window: Window, readings: Readings) -> Reserved | None:
        """A reserve, if it is admissible and penalties for this window were claimed on it or still can be."""
        reserve, case = routing.reserve, self.case
        outage, worth = documented(reserve), case.reserves.worth(reserve, readings)
        if outage is None or worth.status != "admissible":
            return None
        limit = claim_limit(window.last_day, case.terms, readings)
        claimed = any(
            claim.not_after < limit and window.concerns(claim.first_day, claim.last_day)
            for claim in reserve.claims
        )
        if case.as_of >= limit and not claimed:
            return None
        covered = common((Interval(span.start, span.end) for span in worth.spans), window.span)
        return Reserved(reserve, outage, covered) if covered else None


def documented(reserve: Reserve) -> Interval | None:
    """The outage that a reserve documents, at most up to its stamp."""
    start = reserve.unavailable_from
    if start is None:
        return None
    end = min(reserve.unavailable_to or reserve.stamped_at, reserve.stamped_at)
    return Interval(start, end) if start < end else None


@clause("11")
def observed_availability(row: Figure, levels: Levels, readings: Readings) -> Conclusion[Decimal]:
    """The availability observed (Sc) over the window, in percent; downtime is only what was reserved.

    « Les temps d’indisponibilités décomptés sont uniquement ceux qui ont fait l’objet d’une notification de
    réserve »
    """

    def conclude(chosen: Readings) -> Conclusion[Decimal]:
        same = levels.like(row, chosen)
        observed = Fraction(1) if same is None else same.observed
        return Conclusion(percent(observed), row.downtime.because)

    return weighed(readings, DOWNTIME_READINGS, conclude)


@clause("25")
def beta_commitment(fact: Reason) -> Conclusion[bool]:
    """Nothing is promised of a Beta service.

    « OUTSCALE ne garantit aucun niveau de Qualité de Service sur un Service Bêta et donc ne saurait verser
    quelque pénalité ni accorder des crédits de services ou avoirs »
    """
    return Conclusion(value=False, because=(fact,))


def applicability(row: Figure, case: Case) -> Conclusion[bool]:
    """Whether the commitment of a row applies, by the clause that decides it."""
    beta = case.beta.only((row.target.service, row.target.resource_id), row.window)
    if beta is not None:
        return beta_commitment(beta)
    return deployment_over_zones(row.commitment, case.zones, row.place.region, row.window, case.as_of)
