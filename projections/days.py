"""Days and instants that facts give, as the instants they begin or end with."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import overload

from ledger import instants


@overload
def instant_of(day: date | datetime) -> datetime: ...
@overload
def instant_of(day: date | datetime | None) -> datetime | None: ...
def instant_of(day: date | datetime | None) -> datetime | None:
    """An instant, or the first one of a Paris day."""
    return day if day is None or isinstance(day, datetime) else instants.paris_midnight(day)


def end_of(day: date | datetime | None) -> datetime | None:
    """An instant, or the first one after a Paris day, which is included."""
    if day is None or isinstance(day, datetime):
        return day
    return instants.paris_midnight(day + timedelta(days=1))


def last_day(day: date | datetime) -> date:
    """A Paris day, or the one on which an instant falls."""
    return instants.paris_date(day) if isinstance(day, datetime) else day
