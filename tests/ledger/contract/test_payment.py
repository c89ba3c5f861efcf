"""Payment of invoices: interest against worked examples and against a naive day-by-day count."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from facts_factory import recorded
from hypothesis import given
from hypothesis import strategies as st

from ledger import instants, money
from ledger.contract import rates, terms
from ledger.contract.clauses.payment import Invoice, Movement, interest_of, interest_segments, late_interest
from ledger.contract.finding import PRIMARY, Readings

VECTORS = tomllib.loads(
    (Path(__file__).parents[2] / "vectors" / "interest.toml").read_text(encoding="utf-8")
)["vector"]
FACT = recorded("invoice.issued", "ACC-1/invoice/F1", {"total": "1.00"})
TERMS, RATES = terms.load(), rates.load()


def end_of(day: date) -> datetime:
    """The last instant of a Paris day."""
    return instants.paris_midnight(day + timedelta(days=1)) - timedelta(microseconds=1)


def invoice(
    total: str,
    due: date,
    *,
    payments: Sequence[tuple[date, str]] = (),
    notes: Sequence[tuple[date, str]] = (),
) -> Invoice:
    """An invoice due on a day, with what was paid and credited on days."""
    moved = [[Movement(FACT, day, Decimal(amount)) for day, amount in rows] for rows in (payments, notes)]
    issued_at = instants.paris_midnight(due)
    return Invoice(
        FACT, issued_at, Decimal(total), "EUR", None, due, payments=tuple(moved[0]), credits=tuple(moved[1])
    )


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_worked_examples(vector: dict[str, Any]) -> None:
    """Interest of a principal unpaid from D+1 to a day, under each reading of R8."""
    unpaid = invoice(vector["principal"], vector["due"])
    for number, expected in enumerate(vector["readings"], start=1):
        chosen = Readings.parse([f"R8={number}"])
        concluded = late_interest(unpaid, RATES, TERMS, end_of(vector["last"]), chosen)
        assert concluded.value == (None if expected == "missing" else Decimal(expected))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_each_example_is_quoted_from_the_terms(vector: dict[str, Any]) -> None:
    """The quotation beside each worked example stands in the terms."""
    assert vector["quotation"] in " ".join(TERMS.wording().split())


def test_unrounded() -> None:
    """Read without rounding (R9), a day of 1200 at 10 % is 0.328767…, cut at 18 decimals."""
    second = Readings.parse(["R9=2"])
    concluded = late_interest(
        invoice("1200.00", date(2021, 6, 1)), RATES, TERMS, end_of(date(2021, 6, 2)), second
    )
    assert concluded.value == Decimal("0.328767123287671232")


ECB_TABLE = [(row.effective, row.rate) for row in RATES.published if row.reference == rates.ECB]
LEGAL_TABLE = {row.effective: row.rate for row in RATES.published if row.reference == rates.LEGAL}


def naive_interest(
    total: str,
    due: date,
    last: date,
    payments: list[tuple[date, str]],
    notes: list[tuple[date, str]],
    number: int,
) -> Fraction:
    """Day by day: the principal less earlier movements, at the rate of that day's reading, ÷ 365."""
    owed, day = Fraction(0), due + timedelta(days=1)
    first = True
    while day <= last:
        gone = sum((Fraction(amount) for moved, amount in (*payments, *notes) if moved < day), Fraction(0))
        principal = max(Fraction(total) - gone, Fraction(0))
        if first and principal == 0:
            return Fraction(0)
        first = False
        half = date(day.year, 1 if day.month < 7 else 7, 1)
        basis = day if number == 3 else half
        rate = Fraction([value for since, value in ECB_TABLE if since <= basis][-1]) + 10
        if number == 1:
            rate = max(rate, 3 * Fraction(LEGAL_TABLE[half]))
        owed += principal * rate / 100 / 365
        day += timedelta(days=1)
    return owed


MOVES = st.lists(
    st.tuples(
        st.dates(date(2021, 1, 1), date(2025, 12, 31)),
        st.integers(1, 100_000).map(lambda cents: str(Decimal(cents) / 100)),
    ),
    max_size=4,
)


@given(
    st.integers(1, 200_000).map(lambda cents: str(Decimal(cents) / 100)),
    st.dates(date(2021, 1, 1), date(2025, 6, 30)),
    st.integers(0, 500),
    MOVES,
    MOVES,
    st.sampled_from([1, 2, 3]),
)
def test_against_a_naive_count(
    total: str,
    due: date,
    days: int,
    payments: list[tuple[date, str]],
    notes: list[tuple[date, str]],
    number: int,
) -> None:
    """Segments give to the fraction what a loop over days gives, under each reading of R8."""
    last = min(due + timedelta(days=days), date(2026, 3, 18))
    owed = invoice(total, due, payments=payments, notes=notes)
    chosen = Readings.parse([f"R8={number}"])
    segments = interest_segments(owed, RATES, TERMS, end_of(last), chosen)
    expected = naive_interest(total, due, last, payments, notes, number)
    assert sum((segment.amount for segment in segments), Fraction(0)) == expected
    assert interest_of(segments, PRIMARY) == money.half_up_to_the_cent(expected)
