"""Acceptance of deliveries « au fil de l’eau » (art. 9.4): at once provisional, final 48 hours later.

A metered slice is the closed interval [start, end]; instants are UTC (``clauses.md`` §3, Acceptance).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from ledger import instants
from ledger.contract.clauses.reserves import RESERVE_READINGS, Reserve, Reserves, Slice, Span, facts_of
from ledger.contract.finding import Conclusion, Readings, clause
from ledger.contract.readings import choice, weighed
from ledger.contract.terms import InForce

DeliveryStatus = Literal["provisional", "partly_final", "final", "reserved"]
PartStatus = Literal["provisional", "final", "reserved"]


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a slice whose acceptance stands alike; the next part starts where it ends.

    A part includes its start; only the last one, and a reserved one, include their end.
    """

    start: datetime
    end: datetime
    status: PartStatus

    def to_json(self) -> dict[str, object]:
        """As in the answer."""
        return {"from": self.start, "to": self.end, "status": self.status}


def window_of(slice_: Slice, terms: InForce) -> int:
    """The hours of a slice: of the terms in force when its first instant was provisionally accepted."""
    return terms.at(slice_.accepted_from(slice_.start)).acceptance.window_hours


def final_from(slice_: Slice, terms: InForce) -> datetime:
    """The last instant in time for a reserve on the first instant of a slice."""
    return instants.hours_after(slice_.accepted_from(slice_.start), window_of(slice_, terms))


def final_after(slice_: Slice, terms: InForce) -> datetime:
    """The last instant in time for a reserve on the last instant of a slice."""
    return instants.hours_after(slice_.accepted_from(slice_.end), window_of(slice_, terms))


@clause("9.4")
def delivery_acceptance(
    slice_: Slice, reserves: Reserves, terms: InForce, as_of: datetime, readings: Readings
) -> Conclusion[DeliveryStatus]:
    """Whether a metered slice is provisionally or finally accepted, or under an admissible reserve.

    « La recette définitive est prononcée de plein droit QUARANTE-HUIT (48) HEURES après la recette
    provisoire à défaut par le CLIENT de notification à OUTSCALE »
    """
    touching = reserves.touching(slice_)
    because = (slice_.recorded, *(fact for reserve in touching for fact in facts_of(reserve)))
    if not touching and as_of > final_after(slice_, terms):
        return Conclusion("final", because)
    if not touching and as_of < final_from(slice_, terms):
        return Conclusion("provisional", because)
    return weighed(
        readings,
        RESERVE_READINGS,
        lambda chosen: Conclusion(_status(slice_, touching, reserves, terms, as_of, chosen), because),
    )


def _status(
    slice_: Slice,
    touching: Iterable[Reserve],
    reserves: Reserves,
    terms: InForce,
    as_of: datetime,
    readings: Readings,
) -> DeliveryStatus:
    if any(span.within(slice_) for reserve in touching for span in reserves.worth(reserve, readings).spans):
        return "reserved"
    if _past(as_of, final_after(slice_, terms), readings):
        return "final"
    at_the_end_only = choice(readings, "R2") > 1
    if not at_the_end_only and _past(as_of, final_from(slice_, terms), readings):
        return "partly_final"
    return "provisional"


def _past(as_of: datetime, last: datetime, readings: Readings) -> bool:
    """Whether the 48 hours that end with ``last`` are over (R1: whether that instant is still in time)."""
    return as_of > last if choice(readings, "R1") == 1 else as_of >= last


def parts(
    slice_: Slice, reserves: Reserves, terms: InForce, as_of: datetime, readings: Readings
) -> list[Part]:
    """How the acceptance of a slice divides it as of an instant, in order and without gap."""
    found: list[Part] = []
    at = slice_.start
    for span in _reserved(slice_, reserves, readings):
        found += _unreserved(slice_, at, span.start, terms, as_of, readings)
        found.append(Part(span.start, span.end, "reserved"))
        at = span.end
    if not found or at < slice_.end:
        found += _unreserved(slice_, at, slice_.end, terms, as_of, readings, to_its_end=True)
    return found


def _reserved(slice_: Slice, reserves: Reserves, readings: Readings) -> list[Span]:
    """What reserves cover of a slice, in order, overlaps joined."""
    within = [
        part
        for reserve in reserves.touching(slice_)
        for span in reserves.worth(reserve, readings).spans
        if (part := span.within(slice_)) is not None
    ]
    joined: list[Span] = []
    for part in sorted(within, key=lambda span: (span.start, span.end)):
        if joined and part.start <= joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, part.end))
        else:
            joined.append(part)
    return joined


def _unreserved(
    slice_: Slice,
    start: datetime,
    end: datetime,
    terms: InForce,
    as_of: datetime,
    readings: Readings,
    *,
    to_its_end: bool = False,
) -> list[Part]:
    """What is final of the stretch [start, end) and what is provisional; with its end when it is the last."""
    if start == end and not to_its_end:
        return []
    boundary = _final_before(slice_, terms, as_of, readings)
    included = choice(readings, "R1") > 1
    if boundary is None or (start >= boundary and not (included and start == boundary)):
        return [Part(start, end, "provisional")]
    if end < boundary or (end == boundary and (included or not to_its_end)):
        return [Part(start, end, "final")]
    return [Part(start, boundary, "final"), Part(boundary, end, "provisional")]


def _final_before(slice_: Slice, terms: InForce, as_of: datetime, readings: Readings) -> datetime | None:
    """The instant of consumption up to which a slice is finally accepted; ``None`` when nothing of it is.

    Every instant before it is final, and itself too when the 48th hour is not in time (R1's second).
    """
    if choice(readings, "R2") > 1 and not _past(as_of, final_after(slice_, terms), readings):
        return None
    window = window_of(slice_, terms)
    if slice_.corrected_at is not None and not _past(
        as_of, instants.hours_after(slice_.corrected_at, window), readings
    ):
        return None
    return as_of - timedelta(hours=window)
