"""The delays against a second implementation that shares nothing with the first.

It counts days one by one on a calendar of its own, takes summer time from the rule of Directive 2000/84/EC
(the last Sundays of March and October, 01:00 UTC) instead of the zone data, and the holidays of France
from art. L3133-1 of the Code du travail, with Easter by Meeus's algorithm, instead of the library.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from ledger import instants

# ruff: noqa: DTZ001 - naive instants are how this implementation stays independent of the zone data
DAYS_IN_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
# From 2009: from 2005 to 2007 Whit Monday was the day of solidarity, which the library takes for a working
# day and the article does not; the terms are of 2021, so the question never arises.
INSTANTS = st.datetimes(datetime(2009, 1, 1), datetime(2036, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))
DATES = st.dates(date(2009, 1, 1), date(2036, 1, 1))
COUNTS = st.integers(0, 400)


def leap(year):
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def next_day(day):
    """The day after (year, month, day), on a calendar of its own."""
    year, month, number = day
    length = DAYS_IN_MONTH[month - 1] + (1 if month == 2 and leap(year) else 0)
    if number < length:
        return year, month, number + 1
    return (year, month + 1, 1) if month < 12 else (year + 1, 1, 1)


def after(day, count):
    for _ in range(count):
        day = next_day(day)
    return day


def weekday(day):
    """Zeller's congruence: 0 is Monday."""
    year, month, number = day
    if month < 3:
        year, month = year - 1, month + 12
    century, rest = divmod(year, 100)
    return (number + 13 * (month + 1) // 5 + rest + rest // 4 + century // 4 + 5 * century + 5) % 7


def last_sunday(year, month):
    day = (year, month, 31)
    return 31 - (weekday(day) + 1) % 7


def paris_hours(at):
    """The offset of Paris at a naive UTC instant."""
    start = datetime(at.year, 3, last_sunday(at.year, 3), 1)
    end = datetime(at.year, 10, last_sunday(at.year, 10), 1)
    return 2 if start <= at < end else 1


def paris_day(instant):
    at = instant.replace(tzinfo=None)
    shown = at + timedelta(hours=paris_hours(at))
    return shown.year, shown.month, shown.day


def midnight(day):
    """The first instant of a Paris day: the offset of midnight is that of the instant itself."""
    for hours in (1, 2):
        at = datetime(*day) - timedelta(hours=hours)
        if paris_hours(at) == hours:
            return at.replace(tzinfo=UTC)
    raise AssertionError(day)


def easter(year):
    a, b, c = year % 19, year // 100, year % 100
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    el = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 19 * el) // 433
    month = (h + el - 7 * m + 90) // 25
    return year, month, (h + el - 7 * m + 33 * month + 19) % 32


def holiday(day):
    year, month, number = day
    if (month, number) in {(1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25)}:
        return True
    return day in {after(easter(year), days) for days in (1, 39, 50)}


def working_from(day):
    while weekday(day) >= 5 or holiday(day):
        day = next_day(day)
    return day


def of(day):
    return day.year, day.month, day.day


@given(INSTANTS)
@example(datetime(2026, 3, 29, 1, tzinfo=UTC))
@example(datetime(2026, 10, 24, 22, tzinfo=UTC))
@example(datetime(2025, 12, 31, 23, tzinfo=UTC))
def test_the_day_in_paris(instant):
    """An instant falls on the same Paris day by the zone data and by the directive's rule."""
    assert of(instants.paris_date(instant)) == paris_day(instant)


@given(INSTANTS, COUNTS, st.booleans())
def test_days_after(instant, count, moved):
    """« n jours après » ends at the midnight that counting the days one by one finds, moved or not (R4)."""
    last = after(paris_day(instant), count)
    expected = midnight(next_day(working_from(last) if moved else last))
    assert instants.end_of_days(instants.paris_date(instant), count, moved=moved) == expected


@given(INSTANTS, COUNTS)
def test_clear_days(instant, count):
    """Clear days leave out the first day and the last: both ends of an act, and the date of an effect."""
    start = paris_day(instant)
    ends = instants.act_within_clear_days(instants.paris_date(instant), count)
    assert ends.act_by == midnight(after(start, count + 1))
    assert ends.forfeit_after == midnight(after(start, count + 2))
    assert of(instants.effect_after_clear_days(instants.paris_date(instant), count)) == after(
        start, count + 1
    )


@given(DATES, COUNTS)
def test_clear_days_before(act, count):
    """From the latest date of a notice, n whole days lie before the act."""
    assert after(of(instants.latest_notice_date(act, count)), count + 1) == of(act)


@given(DATES, st.integers(0, 120))
@example(date(2021, 8, 31), 6)
@example(date(2024, 2, 29), 12)
def test_months_after(start, count):
    """« n mois » ends with the same day n months later, or that month's last day."""
    year, month, number = of(start)
    for _ in range(count):
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    length = DAYS_IN_MONTH[month - 1] + (1 if month == 2 and leap(year) else 0)
    assert instants.end_of_months(start, count) == midnight(next_day((year, month, min(number, length))))


@given(INSTANTS, st.integers(0, 2000))
def test_hours_after(instant, count):
    """Hours are elapsed hours, whatever the clocks of Paris do: stepped one by one they end alike."""
    stepped = instant
    for _ in range(count):
        stepped += timedelta(seconds=3600)
    assert instants.hours_after(instant, count) == stepped


@given(DATES)
@example(date(2026, 5, 1))
@example(date(2027, 3, 29))
@example(date(2026, 12, 25))
def test_working_days(day):
    """The next working day is the one that the law's list of holidays and the weekends leave."""
    assert of(instants.working_day_from(day)) == working_from(of(day))
