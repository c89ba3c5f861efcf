"""Windows, downtime and zones as the clauses take them (arts. 11, 24, Annex A)."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
from facts_factory import recorded
from hypothesis import given
from hypothesis import strategies as st

from ledger.contract.clauses.downtime import Excuses, Place, Reserved, Trouble, downtime
from ledger.contract.clauses.levels import Figure, Target, percent
from ledger.contract.clauses.reserves import Reserve
from ledger.contract.clauses.windows import (
    Interval,
    Window,
    calendar_windows,
    length,
    of_length,
    seconds,
    sliding_windows,
    union,
    without,
)
from ledger.contract.clauses.zones import Named, Zones, deployment_over_zones
from ledger.contract.terms import load

START = datetime(2021, 6, 1, tzinfo=UTC)
FACT = recorded("reserve.notified", "ACC-1/reserve/r1", {})
PLACE = Place(frozenset({"fcu"}), "i-1", "eu-west-2")
JUNE = Window(date(2021, 6, 1), date(2021, 6, 30))
COMMITMENTS = {row.name: row for row in load().commitments}


def hours(start: float, end: float) -> Interval:
    """From one hour to another after the first instant of June, UTC."""
    return Interval(START + timedelta(hours=start), START + timedelta(hours=end))


INTERVALS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 20)).map(lambda row: hours(row[0], row[0] + row[1])),
    max_size=8,
)


def hours_of(intervals) -> set[int]:
    """Every hour of June that intervals of whole hours cover, one by one."""
    return {
        hour
        for row in intervals
        for hour in range((row.start - START) // timedelta(hours=1), (row.end - START) // timedelta(hours=1))
    }


class TestIntervals:
    """Spans of time."""

    @given(INTERVALS)
    def test_a_union_covers_the_same_instants_once(self, rows):
        """What intervals cover together is as long as the hours that they hold, none counted twice."""
        joined = union(rows)
        assert hours_of(joined) == hours_of(rows)
        assert length(joined) == timedelta(hours=len(hours_of(rows)))
        assert all(first.end < second.start for first, second in itertools.pairwise(joined))

    @given(INTERVALS, INTERVALS)
    def test_holes_are_taken_out(self, kept, holes):
        """What is left is what was kept and lies in no hole, hour by hour."""
        assert hours_of(without(kept, holes)) == hours_of(kept) - hours_of(holes)

    def test_those_that_touch_are_one(self):
        """An outage that begins where another ends goes on with it."""
        assert union([hours(1, 2), hours(2, 3)]) == (hours(1, 3),)


class TestWindows:
    """Months and years of Paris."""

    @pytest.mark.parametrize(
        ("kind", "first", "last", "length_hours"),
        [
            ("month", date(2021, 6, 1), date(2021, 6, 30), 720),
            ("month", date(2021, 3, 1), date(2021, 3, 31), 743),
            ("month", date(2021, 10, 1), date(2021, 10, 31), 745),
            ("month", date(2021, 1, 31), date(2021, 2, 28), 29 * 24),
            ("month", date(2021, 5, 16), date(2021, 6, 15), 744),
            ("year", date(2021, 1, 1), date(2021, 12, 31), 8760),
            ("year", date(2024, 1, 1), date(2024, 12, 31), 8784),
            ("year", date(2024, 2, 29), date(2025, 2, 28), 8784),
        ],
    )
    def test_their_last_day_and_length(self, kind, first, last, length_hours):
        """A window ends on the day before its first comes round; its length follows the clock changes."""
        window = of_length(kind, first)
        assert window == Window(first, last)
        assert seconds(window.span.end - window.span.start) == length_hours * 3600

    def test_calendar_windows_are_of_paris(self):
        """Half past ten in the evening of 30 June in UTC is already July in Paris."""
        late = datetime(2021, 6, 30, 22, 30, tzinfo=UTC)
        assert list(calendar_windows("month", [Interval(late, late + timedelta(hours=1))])) == [
            Window(date(2021, 7, 1), date(2021, 7, 31))
        ]

    def test_an_outage_that_ends_with_the_month_is_not_of_the_next(self):
        """The first instant of a month is not in an interval that ends there."""
        assert list(calendar_windows("month", [Interval(START, JUNE.span.end)])) == [JUNE]

    @given(st.integers(0, 600), st.integers(1, 200))
    def test_sliding_windows_hold_the_calendar_one(self, start, width):
        """Each calendar month that an outage touches is one of the months begun on any day that it touches."""
        outage = [hours(start, start + width)]
        sliding = list(sliding_windows("month", outage))
        assert set(calendar_windows("month", outage)) <= set(sliding)
        assert all(outage[0].within(window.span) for window in sliding)


def reserved(*spans: Interval) -> list[Reserved]:
    """Reserves that cover all of the outages that they document."""
    return [
        Reserved(
            Reserve(FACT, row.end, row.end, True, True, "fcu", "fcu", "i-1", row.start, row.end), row, (row,)
        )
        for row in spans
    ]


def of_vm(spans, *troubles: Trouble, commitment: str = "SLA4.vm"):
    """The downtime of June."""
    return downtime(reserved(*spans), JUNE.span, PLACE, COMMITMENTS[commitment], Excuses(troubles))


def trouble(cause, start, end, **more) -> Trouble:
    """Something that strikes FCU between two hours."""
    return Trouble((FACT,), cause, hours(start, end), frozenset({"fcu"}), **more)


class TestDowntime:
    """What counts of what was reserved."""

    @given(INTERVALS, INTERVALS)
    def test_excluded_and_counted_make_what_was_reserved(self, outages, excused):
        """Every reserved hour either counts or is excluded, and none does both."""
        found = of_vm(outages, *(Trouble((FACT,), "client", row) for row in excused))
        excluded = [row.span for row in found.excluded]
        inside = [row for row in outages if row.within(JUNE.span)]
        assert hours_of(found.counted) | hours_of(excluded) == hours_of(found.reserved)
        assert not hours_of(found.counted) & hours_of(excluded)
        assert hours_of(found.reserved) == hours_of(inside)

    @pytest.mark.parametrize("cause", ["client", "force_majeure", "security_intervention", "countermeasure"])
    def test_what_is_not_outscales_doing_is_excluded(self, cause):
        """Each excuse takes out what it overlaps, and says why."""
        found = of_vm([hours(10, 20)], trouble(cause, 5, 12))
        assert found.lost == timedelta(hours=8)
        assert [row.to_json() for row in found.excluded] == [
            {"from": hours(10, 12).start, "to": hours(10, 12).end, "why": cause}
        ]

    @pytest.mark.parametrize("cause", ["outscale", None])
    def test_outscales_own_doing_counts(self, cause):
        """An incident of OUTSCALE's, or of nobody's, excludes nothing."""
        assert of_vm([hours(10, 20)], trouble(cause, 5, 25)).lost == timedelta(hours=10)

    def test_a_zone_that_is_not_the_resources(self):
        """An incident in another zone does not strike a resource whose zone is known."""
        elsewhere = trouble("client", 0, 30, zone="eu-west-2b")
        here = Place(frozenset({"fcu"}), "i-1", "eu-west-2", "eu-west-2a")
        excuses = Excuses((elsewhere,))
        rows = reserved(hours(10, 20))
        vm = COMMITMENTS["SLA4.vm"]
        assert downtime(rows, JUNE.span, here, vm, excuses).lost == timedelta(hours=10)
        assert downtime(rows, JUNE.span, PLACE, vm, excuses).lost == timedelta(0)

    def test_a_second_incident_stops_the_machine_again(self):
        """After it could be restarted nothing counts, until another incident of OUTSCALE's begins."""
        found = of_vm(
            [hours(10, 20)],
            trouble("outscale", 10, 12, restartable_from=hours(12, 13).start),
            trouble("outscale", 15, 17, restartable_from=hours(17, 18).start),
        )
        assert found.counted == (hours(10, 12), hours(15, 17))

    def test_a_machine_is_not_restartable_while_another_incident_holds_it(self):
        """The later of two incidents that overlap decides when the machine could be restarted."""
        found = of_vm(
            [hours(10, 20)],
            trouble("outscale", 10, 12, restartable_from=hours(12, 13).start),
            trouble("outscale", 11, 14),
        )
        assert found.counted == (hours(10, 14),)

    def test_only_machines_are_restarted(self):
        """The time to restart is no excuse for another commitment."""
        again = trouble("outscale", 10, 12, restartable_from=hours(12, 13).start)
        assert of_vm([hours(10, 20)], again, commitment="SLA4.zone").lost == timedelta(hours=10)

    def test_first_minutes_are_of_the_whole_incident(self):
        """An incident that began before the window has spent its two minutes there."""
        span = hours(-20, 10)
        found = downtime(
            reserved(span), JUNE.span, Place(frozenset({"fcu"})), COMMITMENTS["SLA5.internet"], Excuses()
        )
        assert found.lost == hours(0, 10).end - JUNE.span.start
        assert found.excluded == ()


class TestFigures:
    """Exact availability."""

    @given(st.integers(0, 720))
    def test_it_is_exact(self, lost):
        """Observed is one less the hours lost over the hours of the month, never a decimal of it."""
        found = of_vm([hours(0, lost)] if lost else [])
        row = Figure(Target("SLA4.vm", "fcu", "i-1"), JUNE, PLACE, COMMITMENTS["SLA4.vm"], found)
        assert row.observed == 1 - Fraction(length(found.counted) // timedelta(hours=1), 720)
        assert row.shortfall == max(Fraction(998, 1000) - row.observed, Fraction(0))

    @pytest.mark.parametrize(
        ("fraction", "written"),
        [
            (Fraction(1), "100"),
            (Fraction(0), "0"),
            (Fraction(979, 1000), "97.9"),
            (Fraction(99999, 100000), "99.999"),
            (Fraction(2, 3), "66.666666666666666666"),
        ],
    )
    def test_percentages_are_written_as_the_annex_writes_them(self, fraction, written):
        """No zero is added and nothing is rounded: what does not end is cut after 18 decimals."""
        assert f"{percent(fraction):f}" == written


class TestZones:
    """Deployment over every zone."""

    def named(self, zones: str, since: str, region: str = "eu-west-2") -> Named:
        """Zones of a Region from a day on."""
        return Named(FACT, datetime.fromisoformat(f"{since}T00:00:00+00:00"), region, frozenset(zones))

    def applies(self, zones: Zones, region: str | None = "eu-west-2", name: str = "SLA4.vm") -> bool:
        """Whether a commitment applies over June."""
        as_of = datetime(2021, 7, 1, tzinfo=UTC)
        return deployment_over_zones(COMMITMENTS[name], zones, region, JUNE, as_of).value

    def test_everywhere(self):
        """On every zone since before the window, it applies."""
        both, client = self.named("ab", "2021-01-01"), self.named("ab", "2021-02-01")
        assert self.applies(Zones((both,), (), (client,)))

    def test_since_a_day_of_the_window(self):
        """On the second zone only since 2 June, it does not apply to June."""
        both = self.named("ab", "2021-01-01")
        rows = (self.named("a", "2021-02-01"), self.named("ab", "2021-06-02"))
        assert not self.applies(Zones((both,), (), rows))

    def test_nothing_known(self):
        """The client proves its deployment: no zones, no deployment or no Region do not help it."""
        both, client = self.named("ab", "2021-01-01"), self.named("ab", "2021-02-01")
        assert not self.applies(Zones((), (), (client,)))
        assert not self.applies(Zones((both,)))
        assert not self.applies(Zones((both,), (), (client,)), region=None)
        assert not self.applies(Zones((self.named("", "2021-01-01"),), (), (client,)))

    def test_without_a_star(self):
        """A commitment without a star applies wherever the client is."""
        assert self.applies(Zones(), None, "SLA8.load_balancer")

    def test_opening_says_which_zones_there_are(self):
        """Before anything is published, the zones are those that the account was opened with."""
        opened, client = self.named("ab", "2021-06-15"), self.named("ab", "2021-02-01")
        assert self.applies(Zones((), (opened,), (client,)))
        published = self.named("abc", "2021-06-20")
        assert not self.applies(Zones((published,), (opened,), (client,)))

    def test_another_region(self):
        """Zones of another Region prove nothing."""
        both, client = self.named("ab", "2021-01-01", "us-east-2"), self.named("ab", "2021-02-01")
        assert not self.applies(Zones((both,), (), (client,)))
