"""The client's reserves (art. 9.4), and what becomes of one that no claim follows (art. 11).

Spans of time are closed: [start, end] includes both instants (``clauses.md`` §3, Acceptance). All
instants are UTC; months and years are of Europe/Paris.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import Literal

from ledger import instants
from ledger.contract.clauses.duty import delays_moved
from ledger.contract.finding import Conclusion, Readings, Reason, clause
from ledger.contract.readings import choice, choosing, weighed
from ledger.contract.terms import InForce, Terms

ReserveStatus = Literal[
    "admissible", "out_of_time", "undocumented", "irregular", "withdrawn", "lapsed", "undetermined"
]

RESERVE_READINGS = ("R1", "R2", "R3", "R4", "R18")
"""The readings on which the worth of a reserve may depend."""

_INSTANT = timedelta(microseconds=1)
_SAFE = 2
"""The reading of R3 under which the safe end of clear days is their only end."""


@dataclass(frozen=True, slots=True)
class Slice:
    """One metered slice of a service: an entry of a delivery, over [``start``, ``end``].

    ``service`` is the service as the terms know it, ``named`` as the meter does; ``corrected_at`` is the
    legal time of the correction that wrote it, if one did.
    """

    key: tuple[str, int]
    service: str
    named: str
    resource_id: str | None
    start: datetime
    end: datetime
    recorded: Reason
    corrected_at: datetime | None = None

    def accepted_from(self, instant: datetime) -> datetime:
        """When ``instant`` of this slice was provisionally accepted: at once, or at its correction."""
        return instant if self.corrected_at is None else max(instant, self.corrected_at)


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim for penalties that lists a reserve; its period in Paris days, both included.

    Without a period it is taken to be for every window of the reserves that it lists.
    """

    fact: Reason
    stamped_at: datetime
    not_after: datetime
    first_day: date
    last_day: date


@dataclass(frozen=True, slots=True)
class Reserve:
    """A reserve as notified, with what happened to it since.

    ``by_mail`` says whether a mail of the client carried it; ``evidence`` whether it justifies the
    outage; ``service`` is the service as the terms know it, ``named`` as the client does; ``because``
    holds the facts beside the notification itself that bear on it.
    """

    fact: Reason
    stamped_at: datetime
    not_after: datetime
    by_mail: bool
    evidence: bool
    service: str | None
    named: str | None
    resource_id: str | None
    unavailable_from: datetime | None
    unavailable_to: datetime | None
    because: tuple[Reason, ...] = ()
    withdrawn: Reason | None = None
    claims: tuple[Claim, ...] = ()

    def affects(self, slice_: Slice) -> bool:
        """Whether it is about the service of ``slice_``, and about its resource when it names one."""
        return (self.service is None or self.service == slice_.service) and (
            self.resource_id is None or self.resource_id == slice_.resource_id
        )


@dataclass(frozen=True, slots=True)
class Span:
    """A closed span of time that a reserve covers.

    ``only`` names the corrected slice to which the span is confined; ``end_excluded`` tells of a span
    that was cut at the end of a month, which is the next one's first instant.
    """

    start: datetime
    end: datetime
    only: tuple[str, int] | None = None
    end_excluded: bool = False

    def within(self, slice_: Slice) -> Span | None:
        """The part of it that lies within a slice, or ``None``."""
        if self.only not in (None, slice_.key):
            return None
        start, end = max(self.start, slice_.start), min(self.end, slice_.end)
        empty = start > end or (start == end == self.end and self.end_excluded)
        return None if empty else Span(start, end)


@dataclass(frozen=True, slots=True)
class Worth:
    """What a reserve is worth under one choice of readings; it covers nothing unless admissible.

    What it covers before ``doubtful_before`` is in time by its stamp, and may not be by the last instant at
    which its mail can have reached the server.
    """

    status: ReserveStatus
    spans: tuple[Span, ...] = ()
    doubtful_before: datetime | None = None

    @property
    def covers(self) -> dict[str, datetime] | None:
        """From its first to its last covered instant."""
        if not self.spans:
            return None
        return {"from": min(span.start for span in self.spans), "to": max(span.end for span in self.spans)}


def worth(
    reserve: Reserve, reopened: Sequence[Slice], terms: InForce, as_of: datetime, readings: Readings
) -> Worth:
    """What a reserve is worth under the chosen readings: the first status that holds.

    ``reopened`` are the slices that corrections wrote, whose own delay may admit a later reserve.
    """
    if not (reserve.by_mail and _documented(reserve, readings)):
        return Worth("undocumented" if reserve.by_mail else "irregular")
    spans = _in_time(reserve, reserve.stamped_at, reopened, terms, readings)
    if not spans:
        return Worth("out_of_time")
    if reserve.withdrawn is not None:
        return Worth("withdrawn")
    living, doubtful = _not_renounced(reserve, spans, terms, as_of, readings)
    if not living:
        return Worth("undetermined" if doubtful else "lapsed")
    certain = _in_time(reserve, reserve.not_after, reopened, terms, readings)
    if not certain:
        return Worth("undetermined")
    safe = min(span.start for span in certain)
    return Worth("admissible", living, safe if min(span.start for span in living) < safe else None)


def _documented(reserve: Reserve, readings: Readings) -> bool:
    """Date and hours of a past outage of a named service, with evidence; R18 for the hour of its end."""
    start, end = reserve.unavailable_from, reserve.unavailable_to
    if start is None or not reserve.evidence or (reserve.service is None and reserve.resource_id is None):
        return False
    if end is None:
        return choice(readings, "R18") == 1 and start <= reserve.stamped_at
    return start <= end and start <= reserve.stamped_at


def _in_time(
    reserve: Reserve, stamp: datetime, reopened: Sequence[Slice], terms: InForce, readings: Readings
) -> tuple[Span, ...]:
    """The spans of the outage for which a reserve stamped at ``stamp`` is in time; none when late."""
    start = reserve.unavailable_from
    if start is None:
        return ()
    end = min(reserve.unavailable_to or stamp, stamp)
    spans = []
    if _within(stamp, end, terms.at(start), readings):
        earliest = stamp - timedelta(hours=terms.at(start).acceptance.window_hours)
        spans.append(Span(start if choice(readings, "R2") > 1 else max(start, earliest), end))
    spans += (
        Span(max(start, slice_.start), min(end, slice_.end), only=slice_.key)
        for slice_ in reopened
        if slice_.corrected_at is not None
        and reserve.affects(slice_)
        and max(start, slice_.start) <= min(end, slice_.end)
        and slice_.corrected_at <= stamp
        and _within(stamp, slice_.corrected_at, terms.at(slice_.corrected_at), readings)
    )
    return tuple(spans)


def _within(stamp: datetime, accepted: datetime, terms: Terms, readings: Readings) -> bool:
    """Whether ``stamp`` is within the 48 hours of a provisional acceptance (R1 decides of the 48th)."""
    last = instants.hours_after(accepted, terms.acceptance.window_hours)
    return stamp <= last if choice(readings, "R1") == 1 else stamp < last


@dataclass(frozen=True, slots=True)
class _Window:
    """A month or year of Paris over which a service level is judged; days included."""

    first_day: date
    last_day: date

    def cut(self, span: Span) -> Span | None:
        """The part of a span that lies in this window."""
        first, past = (
            instants.paris_midnight(self.first_day),
            instants.paris_midnight(self.last_day + timedelta(days=1)),
        )
        start, end = max(span.start, first), min(span.end, past)
        if start > end or start >= past:
            return None
        return replace(span, start=start, end=end, end_excluded=end == past and span.end > past)


def _not_renounced(
    reserve: Reserve, spans: Iterable[Span], terms: InForce, as_of: datetime, readings: Readings
) -> tuple[tuple[Span, ...], bool]:
    """The spans for which penalties were claimed or can still be, and whether the clock leaves a doubt.

    A span lives as long as one window that it could feed, monthly or yearly, lives.
    """
    kinds = terms.at(reserve.stamped_at).windows_fed_by(reserve.service)
    living: set[Span] = set()
    doubtful = False
    for span in spans:
        kept = []
        for window in _windows(span, kinds):
            limit = claim_limit(window.last_day, terms, readings)
            claims = [
                claim for claim in reserve.claims if _concerns(claim, window) and claim.stamped_at < limit
            ]
            piece = window.cut(span)
            if piece is None:
                continue
            if as_of < limit or any(claim.not_after < limit for claim in claims):
                kept.append(piece)
            elif claims:
                doubtful = True
        living.update(_joined(kept))
    return tuple(sorted(living, key=lambda span: (span.start, span.end))), doubtful


def _joined(spans: list[Span]) -> list[Span]:
    """Spans of one reserve with those that touch made one (month after month, or month and year)."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, span.end)):
        if joined and span.start <= joined[-1].end:
            if span.end >= joined[-1].end:
                joined[-1] = replace(joined[-1], end=span.end, end_excluded=span.end_excluded)
        else:
            joined.append(span)
    return joined


def time_to_claim(last_day: date, terms: InForce, readings: Readings) -> instants.ClearDays:
    """The two ends of the clear days after a period, whose last day is the day that does not count (R4)."""
    of_period = terms.at(instants.paris_midnight(last_day))
    moved = delays_moved(of_period, readings)
    return instants.act_within_clear_days(last_day, of_period.claim.claim_clear_days, moved=moved)


def claim_limit(last_day: date, terms: InForce, readings: Readings) -> datetime:
    """The first instant too late to claim for a period that ends with ``last_day`` (art. 11; R3, R4).

    « Le CLIENT disposera d’un délai de 5 (cinq) jours francs à compter de la fin de la période considérée »
    """
    delay = time_to_claim(last_day, terms, readings)
    return delay.forfeit_after if choice(readings, "R3") == 1 else delay.act_by


@dataclass(frozen=True, slots=True)
class ClaimDelay:
    """Until when penalties may be claimed for one window that a reserve feeds, and the claim that came.

    ``act_by`` and ``forfeit_after`` are first instants too late (R3).
    """

    first_day: date
    last_day: date
    act_by: datetime
    forfeit_after: datetime
    claim: Claim | None


def claim_delays(
    reserve: Reserve, reopened: Sequence[Slice], terms: InForce, readings: Readings
) -> list[ClaimDelay]:
    """The delays to claim that a reserve in time opened, one for each window that it could feed."""
    kinds = terms.at(reserve.stamped_at).windows_fed_by(reserve.service)
    spans = _in_time(reserve, reserve.stamped_at, reopened, terms, readings)
    windows = dict.fromkeys(window for span in spans for window in _windows(span, kinds))
    found = []
    for window in windows:
        lost = claim_limit(window.last_day, terms, readings)
        safe = claim_limit(window.last_day, terms, choosing(readings, "R3", _SAFE))
        claims = [claim for claim in reserve.claims if _concerns(claim, window)]
        claim = min(claims, key=lambda claim: claim.stamped_at, default=None)
        found.append(ClaimDelay(window.first_day, window.last_day, safe, lost, claim))
    return found


def _concerns(claim: Claim, window: _Window) -> bool:
    return claim.first_day <= window.last_day and window.first_day <= claim.last_day


def _windows(span: Span, kinds: frozenset[str]) -> Iterable[_Window]:
    """The calendar months and years of Paris that a span touches (R19, its first answer)."""
    first = instants.paris_date(span.start)
    last = instants.paris_date(span.end - _INSTANT if span.end > span.start else span.end)
    if "month" in kinds:
        month = first.replace(day=1)
        while month <= last:
            following = (month + timedelta(days=32)).replace(day=1)
            yield _Window(month, following - timedelta(days=1))
            month = following
    if "year" in kinds:
        for year in range(first.year, last.year + 1):
            yield _Window(date(year, 1, 1), date(year, 12, 31))


class Reserves:
    """The reserves of an account as of an instant, and what each is worth under any readings."""

    def __init__(
        self, reserves: Sequence[Reserve], reopened: Sequence[Slice], terms: InForce, as_of: datetime
    ) -> None:
        self.all = tuple(reserves)
        self._reopened = tuple(reopened)
        self._terms = terms
        self._as_of = as_of
        self._known: dict[tuple[str, frozenset[tuple[str, int]]], Worth] = {}
        spans = [
            (reserve.unavailable_from, min(reserve.unavailable_to or reserve.stamped_at, reserve.stamped_at))
            for reserve in self.all
            if reserve.unavailable_from is not None
        ]
        dated = (place for place, reserve in enumerate(self.all) if reserve.unavailable_from is not None)
        # by the start of the outage; beside each the latest end so far, so that a search knows where to stop
        self._outages = sorted(zip(spans, dated, strict=True))
        self._latest_ends = list(accumulate((end for (_, end), _ in self._outages), max))

    def worth(self, reserve: Reserve, readings: Readings) -> Worth:
        """What a reserve is worth under a choice of readings; worked out once for each."""
        key = reserve.fact.subject, frozenset(readings.chosen.items())
        if key not in self._known:
            self._known[key] = worth(reserve, self._reopened, self._terms, self._as_of, readings)
        return self._known[key]

    def touching(self, slice_: Slice) -> list[Reserve]:
        """The reserves that might cover some instant of a slice, under one reading or another."""
        places = []
        at = bisect_right(self._outages, slice_.end, key=lambda outage: outage[0][0])
        while at > 0 and self._latest_ends[at - 1] >= slice_.start:
            at -= 1
            (_, end), place = self._outages[at]
            if end >= slice_.start and self.all[place].affects(slice_):
                places.append(place)
        return [self.all[place] for place in sorted(places)]


def standing(reserve: Reserve, reserves: Reserves, readings: Readings) -> Conclusion[ReserveStatus]:
    """The status of a reserve, by the clause that decides it."""
    decides = reserve_lapse if reserves.worth(reserve, readings).status == "lapsed" else reserve_standing
    return decides(reserve, reserves, readings)


@clause("9.4")
def reserve_standing(reserve: Reserve, reserves: Reserves, readings: Readings) -> Conclusion[ReserveStatus]:
    """Whether a reserve is admissible, or the first reason why it is not.

    It comes by mail (« par mail dans les QUARANTE-HUIT (48) HEURES de la recette provisoire ») and is
    documented: « date, heure de début et fin de la période d’indisponibilité justifiée au moyen des
    outils à sa disposition ». « Aucune réserve ne pourra être formulée au-delà du délai mentionné
    ci-dessus. Le défaut de documentation conforme d’une réserve formulée vaudra levée de celle-ci. »
    """
    return _status(reserve, reserves, readings)


@clause("11")
def reserve_lapse(reserve: Reserve, reserves: Reserves, readings: Readings) -> Conclusion[ReserveStatus]:
    """A reserve that no claim followed in time, for any window it could feed, never existed.

    « Le fait pour le CLIENT de ne pas réclamer les pénalités ci-dessus vaut renonciation définitive de
    celui-ci au bénéfice de ses réserves notifiées, lesquelles seront réputées n’avoir jamais existé. »
    """
    return _status(reserve, reserves, readings)


def _status(reserve: Reserve, reserves: Reserves, readings: Readings) -> Conclusion[ReserveStatus]:
    because = facts_of(reserve)
    return weighed(
        readings,
        RESERVE_READINGS,
        lambda chosen: Conclusion(reserves.worth(reserve, chosen).status, because),
    )


@clause("9.4")
def reserve_coverage(
    reserve: Reserve, reserves: Reserves, readings: Readings
) -> Conclusion[dict[str, datetime] | None]:
    """What an admissible reserve saves from final acceptance: the outage, within 48 hours of its stamp.

    « Toutes les Prestations fournies par OUTSCALE sont donc provisoirement recettées par le CLIENT au
    fur et à mesure qu’il les consomme. »
    """
    because = facts_of(reserve)
    return weighed(
        readings,
        RESERVE_READINGS,
        lambda chosen: Conclusion(reserves.worth(reserve, chosen).covers, because),
    )


def facts_of(reserve: Reserve) -> tuple[Reason, ...]:
    """Every fact that bears on a reserve."""
    withdrawal = () if reserve.withdrawn is None else (reserve.withdrawn,)
    return (reserve.fact, *reserve.because, *withdrawal, *(claim.fact for claim in reserve.claims))
