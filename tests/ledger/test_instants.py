"""Instants, Paris days and the delays of the contract."""

from __future__ import annotations

import calendar
import tomllib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import instants
from ledger.contract.terms import load
from ledger.errors import WrongCallError

DELAYS = tomllib.loads((Path(__file__).parents[1] / "vectors/delays.toml").read_text(encoding="utf-8"))
MICROSECOND = timedelta(microseconds=1)
NAIVE = (datetime(2015, 1, 1), datetime(2035, 12, 31))  # noqa: DTZ001 - Hypothesis adds the zone
SOME_INSTANTS = st.datetimes(*NAIVE, timezones=st.just(UTC))
SOME_DAYS = st.dates(date(2015, 1, 1), date(2035, 12, 31))


def of(kind: str) -> Any:
    """One test for each vector of a kind of delay, named by its reason."""
    return pytest.mark.parametrize("vector", DELAYS[kind], ids=lambda vector: vector["why"])


def at(text: str) -> datetime:
    """An instant of a vector."""
    return instants.parse_instant(text)


def event_day(vector: dict[str, Any]) -> date:
    """The Paris day of a vector's event."""
    return instants.paris_date(at(vector["from"]))


class TestVectors:
    """The worked examples of the delays."""

    @of("hours")
    def test_hours_are_elapsed(self, vector: dict[str, Any]) -> None:
        """A delay of hours ends after that many elapsed hours, to the microsecond."""
        assert instants.hours_after(at(vector["from"]), vector["hours"]) == at(vector["last"])

    @of("days")
    def test_days_end_with_the_last_day(self, vector: dict[str, Any]) -> None:
        """Day D does not count, and day D+n counts until 24:00 in Paris."""
        found = instants.end_of_days(event_day(vector), vector["days"], moved=vector.get("moved", False))
        assert found == at(vector["too_late"])

    @of("clear_days_effect")
    def test_effect_after_clear_days(self, vector: dict[str, Any]) -> None:
        """Neither the day of the event nor the last clear day counts."""
        effective = instants.effect_after_clear_days(event_day(vector), vector["days"])
        assert effective.isoformat() == vector["effective"]

    @of("clear_days_act")
    def test_act_within_clear_days(self, vector: dict[str, Any]) -> None:
        """An act is safe until D+n 24:00 and lost from D+n+1 24:00."""
        delay = instants.act_within_clear_days(
            event_day(vector), vector["days"], moved=vector.get("moved", False)
        )
        assert (delay.act_by, delay.forfeit_after) == (at(vector["act_by"]), at(vector["forfeit_after"]))

    @of("clear_days_before")
    def test_notice_before_an_act(self, vector: dict[str, Any]) -> None:
        """The given number of whole days lies between the notice and the act."""
        latest = instants.latest_notice_date(date.fromisoformat(vector["act"]), vector["days"])
        assert latest.isoformat() == vector["latest"]

    @of("months")
    def test_months_end_on_the_same_day(self, vector: dict[str, Any]) -> None:
        """A delay of months ends with the same day, or the last one of a shorter month."""
        start = date.fromisoformat(vector["from"])
        assert instants.end_of_months(start, vector["months"]) == at(vector["too_late"])
        if vector["months"] % 12 == 0:
            assert instants.end_of_years(start, vector["months"] // 12) == at(vector["too_late"])

    def test_quotations_are_verbatim(self) -> None:
        """Every quotation of the vectors stands in the terms."""
        text = " ".join(load().wording().split())
        quoted = [row["quotation"] for rows in DELAYS.values() for row in rows if "quotation" in row]
        assert len(quoted) > 10
        assert [words for words in quoted if words not in text] == []


class TestDelays:
    """What holds for every delay."""

    @given(start=SOME_INSTANTS, hours=st.integers(0, 200))
    def test_hours_ignore_the_wall_clock(self, start: datetime, hours: int) -> None:
        """However the event is written, n hours are n × 3600 elapsed seconds, across clock changes too."""
        in_paris = start.astimezone(instants.PARIS)
        assert (instants.hours_after(in_paris, hours) - start).total_seconds() == hours * 3600

    @given(start=SOME_DAYS, days=st.integers(0, 400))
    def test_days_by_stepping(self, start: date, days: int) -> None:
        """Counting calendar days one by one gives the same end as adding them."""
        last = start
        for _ in range(days):
            following = instants.paris_midnight(last) + timedelta(hours=26)
            last = instants.paris_date(following)
        too_late = instants.end_of_days(start, days)
        assert instants.paris_date(too_late - MICROSECOND) == last
        assert instants.paris_date(too_late) == last + timedelta(days=1)

    @given(start=SOME_DAYS, days=st.integers(1, 60))
    def test_clear_days_lie_between(self, start: date, days: int) -> None:
        """Exactly n whole days lie between an event and its effect, and between a notice and its act."""
        effective = instants.effect_after_clear_days(start, days)
        assert (effective - start).days - 1 == days
        assert instants.latest_notice_date(effective, days) == start

    @given(start=SOME_DAYS, days=st.integers(0, 60), moved=st.booleans())
    def test_safe_before_lost(self, start: date, days: int, *, moved: bool) -> None:
        """What is safe is not lost, and moving a delay never shortens it."""
        delay = instants.act_within_clear_days(start, days, moved=moved)
        plain = instants.act_within_clear_days(start, days)
        assert delay.act_by <= delay.forfeit_after
        assert delay.act_by >= plain.act_by
        assert delay.forfeit_after >= plain.forfeit_after

    @given(start=SOME_DAYS, months=st.integers(0, 60))
    def test_months_by_stepping(self, start: date, months: int) -> None:
        """Stepping month by month and then choosing the day gives the same end as the rule."""
        year, month = start.year, start.month
        for _ in range(months):
            year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        last = max(
            day
            for day in calendar.Calendar().itermonthdates(year, month)
            if day.month == month and day.day <= start.day
        )
        assert instants.paris_date(instants.end_of_months(start, months) - MICROSECOND) == last

    @given(day=SOME_DAYS)
    def test_working_days(self, day: date) -> None:
        """The working day found is none of the days off, and only days off were skipped."""
        found = instants.working_day_from(day)
        assert found.weekday() < calendar.SATURDAY
        assert instants.working_day_from(found) == found
        assert all(
            instants.working_day_from(day + timedelta(days=skipped)) == found
            for skipped in range((found - day).days)
        )

    @pytest.mark.parametrize(
        ("day", "working"),
        [
            ("2021-05-01", "2021-05-03"),
            ("2021-05-13", "2021-05-14"),
            ("2021-07-14", "2021-07-15"),
            ("2026-12-25", "2026-12-28"),
            ("2021-06-11", "2021-06-11"),
        ],
    )
    def test_french_holidays(self, day: str, working: str) -> None:
        """French public holidays and week-ends are not working days."""
        assert instants.working_day_from(date.fromisoformat(day)).isoformat() == working


class TestInstants:
    """Reading and writing instants."""

    @given(instant=SOME_INSTANTS)
    def test_round_trip(self, instant: datetime) -> None:
        """What is written canonically or plainly reads back as the same instant."""
        assert instants.parse_instant(instants.canonical(instant)) == instant
        assert instants.parse_instant(instants.plain(instant)) == instant

    @pytest.mark.parametrize(
        ("written", "read"),
        [
            ("2021-06-01T09:00:00+02:00", "2021-06-01T07:00:00Z"),
            ("2021-06-01t09:00:00z", "2021-06-01T09:00:00Z"),
            ("2021-06-01T09:00:00.25Z", "2021-06-01T09:00:00.250000Z"),
        ],
    )
    def test_plain(self, written: str, read: str) -> None:
        """Answers give UTC with Z, and decimals only when there are any."""
        assert instants.plain(instants.parse_instant(written)) == read

    @pytest.mark.parametrize(
        "text",
        [
            "2021-06-01",
            "2021-06-01T09:00:00",
            "2021-02-30T09:00:00Z",
            "2021-06-01T09:00:00.1234567Z",
            "2021-06-01 09:00:00Z",
            "2021-06-01T25:00:00Z",
            "2021-06-01T09:00:00+0000",
            "",
            "0001-01-01T00:00:00+14:00",
        ],
    )
    def test_refused(self, text: str) -> None:
        """An instant without an offset, with seven decimals, or of no calendar is refused by name."""
        with pytest.raises(WrongCallError, match="instant"):
            instants.parse_instant(text)

    @given(instant=SOME_INSTANTS)
    def test_paris_midnights(self, instant: datetime) -> None:
        """An instant lies between the midnight of its Paris day and the next, which are 23 to 25 h apart."""
        day = instants.paris_date(instant)
        first, following = instants.paris_midnight(day), instants.paris_midnight(day + timedelta(days=1))
        assert first <= instant < following
        assert timedelta(hours=23) <= following - first <= timedelta(hours=25)

    @pytest.mark.parametrize(
        ("start", "months", "end"),
        [
            ("2021-03-28T10:00:00Z", 6, "2021-09-28T10:00:00Z"),  # noon to noon, on the day of a change
            ("2021-01-15T11:00:00Z", 6, "2021-07-15T10:00:00Z"),  # noon in winter, noon in summer
            ("2021-08-31T10:00:00.000001Z", 6, "2022-02-28T11:00:00.000001Z"),  # no 31 February
            ("2020-09-28T00:30:00Z", 6, "2021-03-28T01:30:00Z"),  # 02:30 that Paris skips
        ],
    )
    def test_the_same_hour_months_later(self, start: str, months: int, end: str) -> None:
        """Months keep the hour that clocks in Paris show, whatever changed between."""
        assert instants.same_hour(instants.parse_instant(start), months) == instants.parse_instant(end)

    def test_utc_midnight(self) -> None:
        """A UTC day starts at 00:00Z, one or two hours after the Paris day."""
        day = date(2021, 6, 1)
        assert instants.utc_midnight(day) - instants.paris_midnight(day) == timedelta(hours=2)

    def test_tzdata_is_named(self) -> None:
        """The version of the zone data in use can be named in an explanation."""
        assert instants.tzdata_version().split(".")[0].isdecimal()
