"""The rates that late interest is counted with, and what is not known of them.

The data stand in ``terms/rates.toml`` with their sources; ``rate.published`` facts extend them, and
replace a rate of the same day. Rates are exact, in percent per year; days are Paris days. Nothing is
known before a series starts or after its ``known_until``: a missing rate is named, never guessed.
"""

from __future__ import annotations

import tomllib
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property, lru_cache
from importlib import resources
from typing import Any, Literal

from ledger.contract.finding import Reason

Reference = Literal["ecb_main_refinancing", "legal_interest_professional"]
ECB: Reference = "ecb_main_refinancing"
LEGAL: Reference = "legal_interest_professional"
_REFERENCES: tuple[Reference, ...] = (ECB, LEGAL)
_JULY = 7


@dataclass(frozen=True, slots=True)
class PublishedRate:
    """A rate from its day of effect on; ``known_until`` is the last day on which it is known to hold.

    Without ``known_until`` it holds until another replaces it. ``fact`` is the fact that published it,
    none for the rates that the program brings along.
    """

    reference: Reference
    effective: date
    rate: Decimal
    known_until: date | None = None
    fact: Reason | None = None


@dataclass(frozen=True, slots=True)
class MissingRate:
    """A rate that nobody published: for which reference, on which day."""

    reference: Reference
    day: date

    def to_json(self) -> dict[str, Any]:
        """As in the answer."""
        return {"reference": self.reference, "day": self.day}


@dataclass(frozen=True)
class Rates:
    """Every rate known, in any order; of two of one day the later in order wins, a fact over the table."""

    published: tuple[PublishedRate, ...]

    @cached_property
    def _series(self) -> dict[str, tuple[list[date], list[PublishedRate]]]:
        series: dict[str, tuple[list[date], list[PublishedRate]]] = {}
        for reference in _REFERENCES:
            by_day = {row.effective: row for row in self.published if row.reference == reference}
            days = sorted(by_day)
            series[reference] = days, [by_day[day] for day in days]
        return series

    def on(self, reference: Reference, day: date) -> PublishedRate | MissingRate:
        """The rate in force on a day, or which one is missing."""
        days, rows = self._series[reference]
        place = bisect_right(days, day)
        if place == 0:
            return MissingRate(reference, day)
        row = rows[place - 1]
        known = row.known_until is None or day <= row.known_until
        return row if known else MissingRate(reference, day)

    def changes(self, reference: Reference, after: date, until: date) -> list[date]:
        """The days in (``after``, ``until``] on which what is known of a rate may change."""
        days = self._turns[reference]
        return days[bisect_right(days, after) : bisect_right(days, until)]

    @cached_property
    def _turns(self) -> dict[str, list[date]]:
        """Every day on which what is known of a rate may change, in order."""
        turns: dict[str, list[date]] = {}
        for reference, (days, rows) in self._series.items():
            unknown_from = [row.known_until + timedelta(days=1) for row in rows if row.known_until]
            turns[reference] = sorted({*days, *unknown_from})
        return turns

    def with_facts(self, facts: Iterable[PublishedRate]) -> Rates:
        """These rates and those that facts published."""
        return Rates((*self.published, *facts))


def half_year_start(day: date) -> date:
    """1 January or 1 July: the day whose ECB rate holds for the half-year (C. com., art. L441-10 II)."""
    return date(day.year, _JULY if day.month >= _JULY else 1, 1)


def half_year_end(day: date) -> date:
    """The last day of the half-year in which ``day`` falls."""
    return date(day.year, 12, 31) if day.month >= _JULY else date(day.year, 6, 30)


def published_by(fact: Reason, reference: Reference, effective: date, rate: Decimal) -> PublishedRate:
    """A rate that a fact published.

    The legal interest rate is fixed for one half-year and never known beyond it; the ECB's holds until
    the next one is published.
    """
    until = half_year_end(effective) if reference == LEGAL else None
    return PublishedRate(reference, effective, rate, until, fact)


@lru_cache
def load() -> Rates:
    """The rates of ``terms/rates.toml``."""
    source = resources.files("ledger.contract.terms").joinpath("rates.toml")
    table = tomllib.loads(source.read_text(encoding="utf-8"))
    return Rates(tuple(row for reference in _REFERENCES for row in _rows(reference, table[reference])))


def _rows(reference: Reference, series: dict[str, Any]) -> list[PublishedRate]:
    rows, last = series["rates"], series["known_until"]
    for_half_years = series["holds"] == "half_year"
    return [
        PublishedRate(
            reference,
            row["effective"],
            Decimal(row["rate"]),
            half_year_end(row["effective"]) if for_half_years else last if row is rows[-1] else None,
        )
        for row in rows
    ]
