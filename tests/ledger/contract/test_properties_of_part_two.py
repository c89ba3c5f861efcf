"""Properties that hold for any instants and amounts, by group of articles."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from ledger import instants
from ledger.contract.clauses.agreement import Accepted, Agreement, Publication, binding, version_binds_from
from ledger.contract.clauses.duty import Act, Delay, standing
from ledger.contract.clauses.notices import (
    FormalNotice,
    notice_status,
    termination_allowed,
    time_to_remedy,
)
from ledger.contract.clauses.notification import Addresses, ClientMail, Letter
from ledger.contract.clauses.reservations import Grounds, Order, cancellation, credit_note, order_owed
from ledger.contract.clauses.support import Ticket, restoration_time, working_time
from ledger.contract.clauses.works import Works, works_owed
from ledger.contract.finding import PRIMARY, Readings
from ledger.contract.terms import load

START = datetime(2021, 1, 4, 9, tzinfo=UTC)
LATER = st.timedeltas(timedelta(0), timedelta(days=400))
AMOUNTS = st.decimals(0, 10**9, places=2)
READINGS = st.sampled_from([PRIMARY, Readings({"R3": 2}), Readings({"R4": 2}), Readings({"R3": 2, "R4": 2})])
TERMS = load()


@dataclass(frozen=True)
class Fact:
    position: int
    subject: str
    type: str
    legal_time: datetime


def fact(position, at, kind="x.y", subject="ACC-1"):
    return Fact(position, subject, kind, at)


def within_five_clear_days(start, *, moved):
    ends = instants.act_within_clear_days(instants.paris_date(start), 5, moved=moved)
    return Delay(ends.act_by, ends.forfeit_after)


class TestDuties:
    @given(LATER, st.booleans(), LATER, LATER)
    def test_a_duty_is_never_unmet_again(self, begun, moved, done, waited):
        """Once met a duty stays met, once missed it stays missed, whenever it is asked."""
        delay = within_five_clear_days(START + begun, moved=moved)
        act = Act(fact(1, START + done), START + done, START + done)
        first = standing(delay, act, START + done)
        assert standing(delay, act, START + done + waited) == first

    @given(LATER, LATER)
    def test_without_an_act_it_goes_one_way(self, earlier, later):
        """Open, then arguable, then missed: time never turns back."""
        order = ["open", "arguable", "missed"]
        delay = within_five_clear_days(START, moved=False)
        first, then = (standing(delay, None, START + at) for at in sorted((earlier, later)))
        assert order.index(first) <= order.index(then)

    @given(LATER, st.integers(0, 500))
    def test_a_delay_in_hours_ends_a_microsecond_after_it(self, begun, hours):
        """The last instant of the n-th hour is in time, the next one is not."""
        delay = Delay.hours(START + begun, hours)
        last = START + begun + timedelta(hours=hours)
        for at, said in ((last, "met"), (last + timedelta(microseconds=1), "missed")):
            assert standing(delay, Act(fact(1, at), at, at), at) == said


class TestNotices:
    @given(LATER, LATER, READINGS)
    def test_termination_is_allowed_only_once_unremedied(self, sent, waited, readings):
        """A party may terminate when, and only when, its notice is unremedied; never while it runs."""
        sent_at = START + sent
        notice = FormalNotice(fact(2, sent_at), sent_at, "client", Letter(ClientMail(fact(1, sent_at))))
        as_of = sent_at + waited
        status = notice_status(notice, Addresses(), TERMS, as_of, readings).value
        assert termination_allowed(notice, Addresses(), TERMS, as_of, readings).value == (
            status == "unremedied"
        )
        assert (status == "running") == (as_of < time_to_remedy(notice, TERMS, readings).act_by)


class TestOrders:
    @given(AMOUNTS, AMOUNTS, AMOUNTS, st.sampled_from([PRIMARY, Readings({"R16": 2})]))
    def test_a_credit_note_lies_between_nothing_and_the_order(self, amount, costs, consumed, readings):
        """Never below zero, never above nine tenths of the order, and what is owed is the rest."""
        asked = Grounds(fact(2, START), START, reason=True, reproducible=True)
        cancelled = Grounds(fact(3, START), START, setup_costs=costs, consumed=consumed)
        order = Order(
            fact(1, START), START, START, START + timedelta(days=300), amount, "api", (asked,), cancelled
        )
        assert cancellation(order, TERMS, readings).value == "admissible"
        credited = credit_note(order, TERMS, readings).value
        assert 0 <= credited <= (amount * Decimal("0.9")).quantize(Decimal("0.01")) + Decimal("0.01")
        assert order_owed(order, TERMS, readings).value == amount - credited


class TestSupport:
    @given(LATER, LATER)
    def test_working_time_is_within_the_interval_and_office_hours_within_it(self, begun, lasted):
        """Parts are in order, do not overlap, and office hours never exceed whole working days."""
        start, end = START + begun, START + begun + lasted
        whole = list(working_time(start, end, TERMS.support, PRIMARY))
        office = list(working_time(start, end, TERMS.support, Readings({"R10": 2})))
        for parts in (whole, office):
            edges = [edge for part in parts for edge in part]
            assert edges == sorted(edges)
            assert all(start <= edge <= end for edge in edges)
        totals = [sum((last - first for first, last in parts), timedelta()) for parts in (office, whole)]
        assert totals[0] <= totals[1] <= end - start

    @given(st.sampled_from([1, 2, 3]), LATER)
    def test_restoration_is_met_exactly_within_its_time(self, severity, lasted):
        """Resolved, it is met when the time counted is not above the limit, and never unknown."""
        done = START + lasted
        ticket = Ticket(
            fact(1, START),
            START,
            severity,
            True,
            fact(1, START),
            START,
            resolved=fact(2, done),
            resolved_at=done,
        )
        said = restoration_time(ticket, TERMS, done, PRIMARY).value
        limit = TERMS.support.restoration_hours[severity - 1] * 3600
        assert said["met"] == (said["seconds"] <= limit)


class TestWorks:
    @given(AMOUNTS, st.decimals(0, 100, places=1), st.decimals(0, 100, places=1))
    def test_what_is_owed_grows_with_progress(self, amount, one, other):
        """From thirty percent on order to eighty before acceptance, then all of it."""
        low, high = sorted((one, other))
        owed = [
            works_owed(Works(fact(1, START), START, amount, done), TERMS, PRIMARY).value
            for done in (low, high)
        ]
        accepted = Act(fact(2, START), START, START)
        whole = works_owed(Works(fact(1, START), START, amount, low, accepted=accepted), TERMS, PRIMARY).value
        assert owed[0] <= owed[1] <= whole == amount
        assert Fraction(owed[0]) >= Fraction(amount) * 30 / 100 - Fraction(1, 100)


class TestTermsOverTime:
    @given(st.lists(LATER, min_size=1, max_size=5, unique=True), LATER)
    def test_the_version_in_force_is_the_last_that_began(self, starts, asked):
        """At any instant the version that binds is that of the latest publication that has begun to bind."""
        accepted = Accepted(fact(1, START), START, "2021-06", on_demand=True)
        published = tuple(
            Publication(fact(2 + place, START + at), f"v{place}", START + at, substantial=False)
            for place, at in enumerate(starts)
        )
        agreement = Agreement((accepted,), published)
        assert all(version_binds_from(row, agreement).value == row.starts for row in published)
        begun = [row for row in published if START < row.starts <= START + asked]
        expected = max(begun, key=lambda row: row.starts).version if begun else "2021-06"
        assert binding(agreement).version_at(START + asked) == expected


def test_the_start_is_a_day_in_paris():
    """The examples start on a working Monday in Paris."""
    assert instants.working_day_from(instants.paris_date(START)) == instants.paris_date(START)
