"""The rates brought along, those that facts publish, and those that are missing."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from facts_factory import recorded

from ledger.contract import rates
from ledger.contract.rates import ECB, LEGAL, MissingRate, Reference, published_by

FACT = recorded("rate.published", "rate/r", {"reference": ECB, "effective": "2026-07-01", "rate": "2.00"})


@pytest.mark.parametrize(
    ("reference", "day", "rate"),
    [
        (ECB, date(2016, 3, 16), "0.00"),
        (ECB, date(2022, 7, 26), "0.00"),
        (ECB, date(2022, 7, 27), "0.50"),
        (ECB, date(2024, 1, 1), "4.50"),
        (ECB, date(2026, 3, 18), "2.15"),
        (LEGAL, date(2015, 1, 1), "0.93"),
        (LEGAL, date(2021, 6, 30), "0.79"),
        (LEGAL, date(2021, 7, 1), "0.76"),
        (LEGAL, date(2026, 6, 30), "2.62"),
    ],
)
def test_known(reference: Reference, day: date, rate: str) -> None:
    """A rate holds from its day of effect to the eve of the next one's."""
    found = rates.load().on(reference, day)
    assert not isinstance(found, MissingRate)
    assert found.rate == Decimal(rate)


@pytest.mark.parametrize(
    ("reference", "day"),
    [
        (ECB, date(1998, 12, 31)),
        (ECB, date(2026, 3, 19)),
        (LEGAL, date(2014, 12, 31)),
        (LEGAL, date(2026, 7, 1)),
    ],
)
def test_missing(reference: Reference, day: date) -> None:
    """Outside what is known a rate is missing, and named with its day."""
    assert rates.load().on(reference, day) == MissingRate(reference, day)


def test_published() -> None:
    """A published rate holds from its day: the ECB's until changed, the legal one to the half-year's end."""
    facts = [
        published_by(FACT, ECB, date(2026, 7, 1), Decimal("2.00")),
        published_by(FACT, LEGAL, date(2026, 7, 1), Decimal("2.50")),
    ]
    known = rates.load().with_facts(facts)
    assert known.on(ECB, date(2026, 6, 30)) == MissingRate(ECB, date(2026, 6, 30))
    assert known.on(ECB, date(2027, 3, 1)) == facts[0]
    assert known.on(LEGAL, date(2026, 12, 31)) == facts[1]
    assert known.on(LEGAL, date(2027, 1, 1)) == MissingRate(LEGAL, date(2027, 1, 1))


def test_a_fact_replaces_the_table() -> None:
    """A rate that a fact publishes for a day of the table replaces it until the table's next one."""
    known = rates.load().with_facts([published_by(FACT, ECB, date(2022, 7, 27), Decimal("0.75"))])
    assert [
        row.rate for day in (27, 28) if not isinstance(row := known.on(ECB, date(2022, 7, day)), MissingRate)
    ] == [
        Decimal("0.75"),
        Decimal("0.75"),
    ]
    after = known.on(ECB, date(2022, 9, 14))
    assert not isinstance(after, MissingRate)
    assert after.rate == Decimal("1.25")


def test_every_half_year_has_its_legal_rate() -> None:
    """The legal rates stand on 1 January and 1 July of every year, without a gap."""
    days = [row.effective for row in rates.load().published if row.reference == LEGAL]
    halves = [date(year, month, 1) for year in range(2015, 2027) for month in (1, 7)]
    assert days == halves[: len(days)]
