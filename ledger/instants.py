"""Instants, Paris days, and the delays of the contract.

Instants are aware ``datetime`` in UTC with microseconds. Hours are elapsed hours, added in UTC; days
are calendar days of Europe/Paris. Nothing here reads a clock.

Source: Code civil, arts. 2228 and 2229 (a delay in days does not count its first day and ends with
the last instant of its last day); ``clauses.md`` §1 for the clear days (« jours francs »).
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from importlib import metadata
from zoneinfo import ZoneInfo

import holidays

from ledger.errors import WrongCallError

PARIS = ZoneInfo("Europe/Paris")
RFC3339_PATTERN = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?([Zz]|[+-][0-9]{2}:[0-9]{2})$"
)
_RFC3339 = re.compile(RFC3339_PATTERN)
_ONE_DAY = timedelta(days=1)


def parse_instant(text: str) -> datetime:
    """Read an RFC 3339 date-time with an offset, to the microsecond, as UTC.

    Raises:
        WrongCallError: ``text`` is no such instant (no offset, seven decimals, 30 February …).
    """
    if not _RFC3339.match(text):
        raise WrongCallError(
            f"{text!r} is not an RFC 3339 instant with an offset, such as 2021-06-01T09:00:00Z"
        )
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise WrongCallError(f"{text!r} is not an instant: {error}") from error


def canonical(instant: datetime) -> str:
    """Write an instant as leaves do: UTC, six decimals, ``Z`` (``proof.md``, Leaf)."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds")[: -len("+00:00")] + "Z"


def plain(instant: datetime) -> str:
    """Write an instant as answers do: UTC with ``Z``, and decimals only when it has any."""
    text = canonical(instant)
    return text[:-8] + "Z" if text.endswith(".000000Z") else text


def paris_date(instant: datetime) -> date:
    """The calendar day in Paris on which ``instant`` falls."""
    return instant.astimezone(PARIS).date()


def paris_midnight(day: date) -> datetime:
    """The first instant of a Paris day, in UTC."""
    return datetime.combine(day, time(0), tzinfo=PARIS).astimezone(UTC)


def utc_midnight(day: date) -> datetime:
    """The first instant of a UTC day."""
    return datetime.combine(day, time(0), tzinfo=UTC)


def hours_after(start: datetime, hours: int) -> datetime:
    """The last instant in time of a delay of elapsed hours (« 48 heures »)."""
    return start.astimezone(UTC) + timedelta(hours=hours)


def end_of_days(start: date, days: int, *, moved: bool = False) -> datetime:
    """The first instant too late of « n jours après »: day D does not count, D+n does, until 24:00.

    ``moved`` lets a delay that would end on a non-working day end on the next working day (reading
    R4, its second answer).
    """
    last = start + timedelta(days=days)
    return paris_midnight((working_day_from(last) if moved else last) + _ONE_DAY)


def effect_after_clear_days(start: date, days: int) -> date:
    """The date on which something takes effect « n jours francs après »: D+n+1."""
    return start + timedelta(days=days + 1)


@dataclass(frozen=True, slots=True)
class ClearDays:
    """An act to be done within clear days: safe before ``act_by``, lost from ``forfeit_after`` on.

    Both are first instants too late; between the two the text bears two readings (R3).
    """

    act_by: datetime
    forfeit_after: datetime


def act_within_clear_days(start: date, days: int, *, moved: bool = False) -> ClearDays:
    """« dans un délai de n jours francs »: safe until D+n 24:00, lost from D+n+1 24:00.

    ``moved`` as in ``end_of_days``, for each of the two ends.
    """
    return ClearDays(end_of_days(start, days, moved=moved), end_of_days(start, days + 1, moved=moved))


def latest_notice_date(act: date, days: int) -> date:
    """The last date of a notice given « n jours francs à l'avance »: n whole days lie between."""
    return act - timedelta(days=days + 1)


def end_of_months(start: date, months: int) -> datetime:
    """The first instant too late of « n mois » from a day: the same day n months later, until 24:00.

    When that month has no such day, its last day (2021-08-31 + 6 months is 2022-02-28).
    """
    return paris_midnight(same_day(start, months) + _ONE_DAY)


def same_day(day: date, months: int) -> date:
    """The same day so many months later (before, when negative), or that month's last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last_day = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last_day))


def same_hour(instant: datetime, months: int) -> datetime:
    """The same hour in Paris of ``same_day``, so many months later (UTC).

    An hour that a clock change leaves out there is counted from the hour before it.
    """
    local = instant.astimezone(PARIS)
    return datetime.combine(same_day(local.date(), months), local.timetz()).astimezone(UTC)


def end_of_years(start: date, years: int) -> datetime:
    """The first instant too late of « n ans » from a day: ``end_of_months`` with 12 n months."""
    return end_of_months(start, 12 * years)


@lru_cache(maxsize=64)
def _french_holidays(year: int) -> holidays.HolidayBase:
    return holidays.country_holidays("FR", years=year)


def working_day_from(day: date) -> date:
    """The first working day in France on or after ``day`` (reading R4, its second answer)."""
    while day.weekday() >= calendar.SATURDAY or day in _french_holidays(day.year):
        day += _ONE_DAY
    return day


def exact_seconds(duration: timedelta) -> Decimal:
    """A duration in seconds, exact to the microsecond, without trailing zeros."""
    whole, rest = divmod(duration // timedelta(microseconds=1), 1_000_000)
    return Decimal(f"{whole}.{rest:06d}".rstrip("0").rstrip("."))


def tzdata_version() -> str:
    """The version of the time zone data in use, part of every explanation that counts days."""
    return metadata.version("tzdata")
