"""Caps of liability and force majeure, clause by clause (arts. 13.1, 13.2, 25)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from facts_factory import recorded
from hypothesis import given
from hypothesis import strategies as st

from ledger import instants
from ledger.contract.clauses.liability import (
    Cashed,
    Damage,
    Event,
    force_majeure_excuse,
    in_paris_days,
    liability_cap,
    limit_of,
)
from ledger.contract.clauses.payment import Invoice, Movement
from ledger.contract.clauses.windows import Interval
from ledger.contract.finding import PRIMARY, Readings
from ledger.contract.terms import load

TERMS = load()
AS_OF = instants.parse_instant("2022-01-01T00:00:00Z")
CLAIMED = recorded("damage.claimed", "ACC-1/damage/d1", {"by": "client", "kind": "other"})
STRUCK = recorded("force_majeure.began", "force-majeure/e1", {"services": ["fcu"]})
DAYS = st.dates(date(2019, 1, 1), date(2023, 12, 31))
AMOUNTS = st.decimals(Decimal("0.01"), Decimal(10**6), places=2)


def span(start: str, end: str) -> Interval:
    """From one instant up to another."""
    return Interval(instants.parse_instant(start), instants.parse_instant(end))


def claim(**said: object) -> Damage:
    """A claim of the client after an event of 20 June 2021."""
    plain = Damage(CLAIMED, CLAIMED.legal_time, "client", "other", date(2021, 6, 20))
    return replace(plain, **said)  # type: ignore[arg-type]


def interrupted(start: str, end: str, **said: object) -> Damage:
    """A claim for an interruption of fcu."""
    return claim(kind="interruption", service="fcu", outage=span(start, end), **said)


def bill(
    name: str = "F1",
    first: date = date(2021, 5, 1),
    last: date = date(2021, 5, 31),
    fcu: str = "700",
    paid: tuple[tuple[date, str], ...] = ((date(2021, 6, 10), "1200"),),
    currency: str = "EUR",
) -> Cashed:
    """An invoice of a period that bills fcu, with what was paid of it."""
    subject = f"ACC-1/invoice/{name}"
    fact = recorded("invoice.issued", subject, {"total": "1200"})
    payments = tuple(
        Movement(recorded("invoice.paid", subject, {"amount": amount}), day, Decimal(amount))
        for day, amount in paid
    )
    invoice = Invoice(fact, fact.legal_time, Decimal(1200), currency, payments=payments)
    return Cashed(invoice, first, last, (("fcu", Decimal(fcu)),))


def cap(
    damage: Damage,
    *cashed: Cashed,
    events: tuple[Event, ...] = (),
    readings: Readings = PRIMARY,
    as_of: datetime = AS_OF,
) -> Decimal | None:
    """The bare cap."""
    return liability_cap(damage, cashed, events, TERMS, as_of, readings).value


class TestHalfOfWhatWasCashed:
    """The general limit."""

    def test_payments_of_two_invoices_add_up(self) -> None:
        """What counts is what was cashed in the twelve months, whichever invoice it settles."""
        other = bill("F2", paid=((date(2021, 6, 19), "300"), (date(2020, 6, 19), "9999")))
        assert cap(claim(), bill(), other) == Decimal("750.00")

    def test_another_currency_is_never_added(self) -> None:
        """A claim in euros is measured by what was cashed in euros, one in dollars by dollars."""
        dollars = bill("F2", paid=((date(2021, 6, 10), "500"),), currency="USD")
        assert cap(claim(), bill(), dollars) == Decimal("600.00")
        assert cap(claim(currency="USD"), bill(), dollars) == Decimal("250.00")

    def test_a_reservation_of_the_future_does_not_count(self) -> None:
        """Paid ahead for a period that begins after the event, an invoice is no part of the base."""
        begun = bill("F2", date(2021, 6, 20), date(2021, 7, 19))
        ahead = bill("F3", date(2021, 6, 21), date(2021, 7, 20))
        assert cap(claim(), begun) == Decimal("600.00")
        assert cap(claim(), ahead) == Decimal("0.00")

    def test_only_the_invoices_that_count_are_named(self) -> None:
        """The cap rests on the claim, the payments counted and their invoices, and on nothing else."""
        counted, old = bill(), bill("F2", paid=((date(2019, 1, 1), "500"),))
        because = liability_cap(claim(), (counted, old), (), TERMS, AS_OF, PRIMARY).because
        assert [(fact.subject, fact.type) for fact in because] == [
            ("ACC-1/damage/d1", "damage.claimed"),
            ("ACC-1/invoice/F1", "invoice.issued"),
            ("ACC-1/invoice/F1", "invoice.paid"),
        ]

    def test_half_a_cent(self) -> None:
        """Half of an odd cent is rounded up once, and stays exact under the second reading of R9."""
        odd = bill(paid=((date(2021, 6, 10), "0.01"),))
        assert cap(claim(), odd) == Decimal("0.01")
        assert cap(claim(), odd, readings=Readings.parse(["R9=2"])) == Decimal("0.005")

    @given(st.lists(st.tuples(DAYS, AMOUNTS), max_size=6), DAYS)
    def test_the_window_slides(self, paid: list[tuple[date, Decimal]], last: date) -> None:
        """Whatever was paid when, the cap is half of the payments from a year before up to the eve."""
        row = bill(first=date(2018, 1, 1), last=date(2018, 1, 31), paid=tuple((d, str(a)) for d, a in paid))
        since = last.replace(year=last.year - 1, day=28 if (last.month, last.day) == (2, 29) else last.day)
        counted = sum((Fraction(amount) for day, amount in paid if since <= day < last), Fraction(0))
        limit = limit_of(claim(last_event=last), (row,), (), TERMS, AS_OF, PRIMARY)
        assert limit.amount == counted / 2


class TestInterruption:
    """The limit of a simple interruption."""

    def test_the_invoice_of_the_month_counts(self) -> None:
        """The month in which it began sets the amount, not the month before nor the one after."""
        before, own = bill(), bill("F2", date(2021, 6, 1), date(2021, 6, 30), "900")
        after = bill("F3", date(2021, 7, 1), date(2021, 7, 31), "5000")
        outage = interrupted("2021-06-10T00:00:00Z", "2021-06-11T00:00:00Z")
        assert cap(outage, before, own, after) == Decimal("1800.00")

    def test_the_last_invoice_before_stands_in(self) -> None:
        """While the month's invoice is not issued, the last one before it shows the monthly amount."""
        older = bill("F0", date(2021, 4, 1), date(2021, 4, 30), "9")
        outage = interrupted("2021-06-10T00:00:00Z", "2021-06-11T00:00:00Z")
        assert cap(outage, older, bill()) == Decimal("1400.00")

    def test_a_year_billed_at_once_is_a_twelfth_a_month(self) -> None:
        """An invoice of twelve months counts for a twelfth, beside the month's own invoice."""
        year = bill("F2", date(2021, 1, 1), date(2021, 12, 31), "1200")
        month = bill("F3", date(2021, 6, 1), date(2021, 6, 30), "50")
        outage = interrupted("2021-06-10T00:00:00Z", "2021-06-11T00:00:00Z")
        assert cap(outage, year, month) == Decimal("300.00")

    @pytest.mark.parametrize(
        ("first", "last", "months"),
        [
            (date(2021, 5, 1), date(2021, 5, 31), 1),
            (date(2021, 1, 31), date(2021, 3, 30), 2),
            (date(2021, 5, 15), date(2021, 7, 13), 1),
            (date(2021, 5, 15), date(2021, 7, 14), 2),
            (date(2021, 5, 15), date(2021, 5, 16), 1),
        ],
    )
    def test_months_of_a_period(self, first: date, last: date, months: int) -> None:
        """Only whole months count, and a shorter period is one."""
        assert bill(first=first, last=last).months == months

    def test_fifteen_days_across_the_end_of_summer_time(self) -> None:
        """Fifteen days of Paris are fifteen days though they last an hour more; a microsecond later not."""
        row = bill(first=date(2021, 10, 1), last=date(2021, 10, 31))
        exact = interrupted("2021-10-19T22:00:00Z", "2021-11-03T23:00:00Z")
        longer = interrupted("2021-10-19T22:00:00Z", "2021-11-03T23:00:00.000001Z")
        assert (cap(exact, row), cap(longer, row)) == (Decimal("1400.00"), Decimal("2100.00"))

    def test_both_readings_between_fifteen_and_sixteen_days(self) -> None:
        """Between fifteen and sixteen days the answer carries both readings of R11."""
        outage = interrupted("2021-06-01T00:00:00Z", "2021-06-16T12:00:00Z")
        found = liability_cap(outage, (bill(),), (), TERMS, AS_OF, PRIMARY)
        told = [(row.reading, row.value) for row in found.readings if row.reading == "R11"]
        assert told == [("R11", Decimal("2100.00")), ("R11", Decimal("1400.00"))]

    def test_while_it_still_runs(self) -> None:
        """An interruption that runs on is measured up to the question's instant."""
        outage = interrupted("2021-06-01T00:00:00Z", "2021-12-31T00:00:00Z")
        early = instants.parse_instant("2021-06-16T00:00:00Z")
        assert cap(outage, bill(), as_of=early) == Decimal("1400.00")
        assert cap(outage, bill(), as_of=early + timedelta(microseconds=1)) == Decimal("2100.00")

    def test_nothing_is_guessed(self) -> None:
        """Without hours, or without an invoice of the service, no cap is told, and why is said."""
        no_hours = limit_of(claim(kind="interruption"), (bill(),), (), TERMS, AS_OF, PRIMARY)
        no_bill = limit_of(
            interrupted("2021-04-10T00:00:00Z", "2021-04-11T00:00:00Z"), (bill(),), (), TERMS, AS_OF, PRIMARY
        )
        assert (no_hours.extent, no_bill.extent) == ("unknown", "unknown")
        assert "when" in no_hours.why
        assert "no invoice" in no_bill.why


class TestNoLimit:
    """Where the limits do not apply, and where nothing is owed."""

    @pytest.mark.parametrize(
        "said",
        [
            {"gross_fault": True},
            {"bodily_harm": True},
            {"kind": "third_party", "by": "outscale"},
            {"kind": "illicit_content", "by": "outscale"},
            {"kind": "indirect", "gross_fault": True},
            {"kind": "indirect", "bodily_harm": True},
            {"beta": True, "bodily_harm": True},
        ],
    )
    def test_unlimited(self, said: dict[str, object]) -> None:
        """No limit applies, whatever was cashed, and the claim alone says so."""
        found = liability_cap(claim(**said), (bill(),), (), TERMS, AS_OF, PRIMARY)
        assert (found.value, found.because, found.readings) == (None, (CLAIMED,), ())
        assert limit_of(claim(**said), (bill(),), (), TERMS, AS_OF, PRIMARY).extent == "unlimited"

    def test_indirect_damage(self) -> None:
        """Indirect damage is excluded: nothing is owed, though payments were cashed."""
        limit = limit_of(claim(kind="indirect"), (bill(),), (), TERMS, AS_OF, PRIMARY)
        assert limit.extent == "excluded"
        assert limit.amount == Fraction(0)

    def test_a_beta_service_limits_the_claim_of_the_client_alone(self) -> None:
        """The fixed sum of art. 25 protects OUTSCALE; its own claims follow art. 13.1."""
        assert cap(claim(beta=True), bill()) == Decimal("350.00")
        assert cap(claim(beta=True, by="outscale"), bill()) == Decimal("600.00")


class TestForceMajeure:
    """What force majeure excuses."""

    def test_only_what_it_covers(self) -> None:
        """Events that overlap are told as one part, and what lies outside the failure is left out."""
        outage = span("2021-06-01T00:00:00Z", "2021-06-03T00:00:00Z")
        events = (
            Event((STRUCK,), span("2021-05-31T00:00:00Z", "2021-06-01T12:00:00Z")),
            Event((STRUCK,), span("2021-06-01T06:00:00Z", "2021-06-02T00:00:00Z")),
            Event((STRUCK,), span("2021-06-03T00:00:00Z", "2021-06-04T00:00:00Z")),
        )
        found = force_majeure_excuse(outage, events)
        assert found.value == ({"from": outage.start, "to": instants.parse_instant("2021-06-02T00:00:00Z")},)
        assert found.because == (STRUCK, STRUCK)

    def test_an_event_that_did_not_meet_it_is_not_named(self) -> None:
        """An event that ends as the failure begins excuses nothing and explains nothing."""
        outage = interrupted("2021-06-01T00:00:00Z", "2021-06-03T00:00:00Z")
        event = Event((STRUCK,), span("2021-05-01T00:00:00Z", "2021-06-01T00:00:00Z"))
        found = liability_cap(outage, (bill(),), (event,), TERMS, AS_OF, PRIMARY)
        assert STRUCK not in found.because
        assert found.value == Decimal("1400.00")

    @given(st.integers(0, 40 * 24), st.integers(0, 40 * 24), st.integers(1, 40 * 24))
    def test_more_force_majeure_never_raises_the_cap(self, start: int, length: int, outage: int) -> None:
        """Force majeure can only lower what is owed for an interruption."""
        began = instants.parse_instant("2021-06-01T00:00:00Z")
        hours = [began + timedelta(hours=number) for number in (outage, start, start + length)]
        damage = claim(kind="interruption", service="fcu", outage=Interval(began, hours[0]))
        event = Event((STRUCK,), Interval(hours[1], hours[2]))
        plain, eased = cap(damage, bill()), cap(damage, bill(), events=(event,))
        assert plain is not None
        assert eased is not None
        assert eased <= plain


@given(st.dates(date(2000, 1, 1), date(2040, 1, 1)), st.integers(0, 400))
def test_days_of_paris(first: date, count: int) -> None:
    """From midnight to midnight of Paris every day is one day, clock changes or not."""
    last = instants.paris_midnight(first + timedelta(days=count))
    assert in_paris_days([Interval(instants.paris_midnight(first), last)]) == timedelta(days=count)
