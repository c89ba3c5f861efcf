"""Over what a service level is judged: spans of time, and the months and years of Paris that hold them.

Intervals are half-open, [start, end), in UTC. A window is whole Paris days, both ends included; its
length is elapsed time, clock changes included (a March of Paris is an hour short).
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Literal

from ledger import instants

Kind = Literal["month", "year"]

_ONE_DAY = timedelta(days=1)
_INSTANT = timedelta(microseconds=1)
_MONTHS = {"month": 1, "year": 12}


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """From ``start`` up to, but without, ``end``."""

    start: datetime
    end: datetime

    def within(self, other: Interval) -> Interval | None:
        """The part of it that lies in another; ``None`` when there is none."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Interval(start, end) if start < end else None

    def meets(self, other: Interval) -> bool:
        """Whether the two overlap or touch."""
        return self.start <= other.end and other.start <= self.end


def union(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """What the intervals cover together, in order; those that overlap or touch are made one."""
    joined: list[Interval] = []
    for row in sorted(row for row in intervals if row.start < row.end):
        if joined and row.start <= joined[-1].end:
            joined[-1] = Interval(joined[-1].start, max(joined[-1].end, row.end))
        else:
            joined.append(row)
    return tuple(joined)


def without(kept: Iterable[Interval], holes: Iterable[Interval]) -> tuple[Interval, ...]:
    """What of ``kept`` lies in none of the ``holes``, in order."""
    left = list(union(kept))
    for hole in union(holes):
        parts = []
        for row in left:
            parts += [
                Interval(row.start, min(row.end, hole.start)),
                Interval(max(row.start, hole.end), row.end),
            ]
        left = [row for row in parts if row.start < row.end]
    return tuple(left)


def common(rows: Iterable[Interval], limit: Interval) -> tuple[Interval, ...]:
    """What of the intervals lies within ``limit``."""
    return tuple(part for row in rows if (part := row.within(limit)) is not None)


def length(intervals: Iterable[Interval]) -> timedelta:
    """How long intervals are that do not overlap."""
    return sum((row.end - row.start for row in intervals), start=timedelta())


def seconds(time: timedelta) -> Fraction:
    """A length of time in seconds, exactly."""
    return Fraction(time // _INSTANT, 10**6)


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """Whole days of Paris, both included."""

    first_day: date
    last_day: date

    @property
    def span(self) -> Interval:
        """From its first instant up to the first one after it."""
        return Interval(
            instants.paris_midnight(self.first_day), instants.paris_midnight(self.last_day + _ONE_DAY)
        )

    @property
    def months(self) -> tuple[str, ...]:
        """The calendar months that it touches, as ``2021-06``."""
        return tuple(f"{row.first_day:%Y-%m}" for row in calendar_windows("month", [self.span]))

    def concerns(self, first_day: date, last_day: date) -> bool:
        """Whether it shares a day with the days named."""
        return first_day <= self.last_day and self.first_day <= last_day

    def overlaps(self, other: Window) -> bool:
        """Whether two windows share a day."""
        return self.concerns(other.first_day, other.last_day)


def of_length(kind: Kind, first_day: date) -> Window:
    """The month or year that begins on a day.

    It ends on the day before the same day later; at the end of the month that has no such day.
    """
    months = first_day.year * 12 + first_day.month - 1 + _MONTHS[kind]
    year, month = months // 12, months % 12 + 1
    days = calendar.monthrange(year, month)[1]
    if first_day.day > days:
        return Window(first_day, date(year, month, days))
    return Window(first_day, date(year, month, first_day.day) - _ONE_DAY)


def calendar_windows(kind: Kind, spans: Iterable[Interval]) -> Iterator[Window]:
    """The calendar months or years of Paris that spans touch, in order (R19, its first answer)."""
    found = set()
    for span in spans:
        day = instants.paris_date(span.start)
        last = instants.paris_date(max(span.end - _INSTANT, span.start))
        day = day.replace(day=1) if kind == "month" else day.replace(month=1, day=1)
        while day <= last:
            window = of_length(kind, day)
            found.add(window)
            day = window.last_day + _ONE_DAY
    yield from sorted(found)


def sliding_windows(kind: Kind, spans: Sequence[Interval]) -> Iterator[Window]:
    """Every month or year, begun on any day of Paris, that some span touches (R19, its second answer)."""
    days: set[date] = set()
    for span in spans:
        first, last = instants.paris_date(span.start), instants.paris_date(span.end - _INSTANT)
        earliest = first - timedelta(days=31 * _MONTHS[kind])
        days |= {earliest + timedelta(days=number) for number in range((last - earliest).days + 1)}
    for day in sorted(days):
        window = of_length(kind, day)
        if any(span.within(window.span) for span in spans):
            yield window
