"""Amounts: exact between, rounded once at the end."""

from __future__ import annotations

import ast
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ledger.contract
from ledger import money
from ledger.contract.terms import load

AMOUNTS = st.fractions(min_value=-(10**12), max_value=10**12, max_denominator=10**9)
DECIMALS = st.decimals(-(10**20), 10**20, allow_nan=False, allow_infinity=False, places=12)


class TestRounding:
    """The one rounding of an amount (R9)."""

    @pytest.mark.parametrize(
        ("exact", "rounded"),
        [
            ("0.005", "0.01"),
            ("0.004999999999", "0.00"),
            ("-0.005", "-0.01"),
            ("0.4204", "0.42"),
            ("1.115", "1.12"),
            ("2.675", "2.68"),
            ("0", "0.00"),
            ("99999999999999999999.995", "100000000000000000000.00"),
        ],
    )
    def test_half_up(self, exact: str, rounded: str) -> None:
        """Half a cent is rounded away from zero, and two decimals are always written."""
        assert money.text(money.half_up_to_the_cent(Decimal(exact))) == rounded

    @given(AMOUNTS)
    def test_within_half_a_cent(self, amount: Fraction) -> None:
        """Rounding moves an amount by half a cent at the most, and a rounded amount no more."""
        rounded = money.half_up_to_the_cent(amount)
        assert abs(Fraction(rounded) - amount) <= Fraction(1, 200)
        assert money.half_up_to_the_cent(rounded) == rounded
        assert rounded.as_tuple().exponent == -2

    @given(AMOUNTS)
    def test_symmetric(self, amount: Fraction) -> None:
        """A debt and the credit that undoes it round to opposite amounts."""
        assert money.half_up_to_the_cent(-amount) == -money.half_up_to_the_cent(amount)


class TestUnrounded:
    """Exact amounts as decimal strings."""

    @given(DECIMALS)
    def test_decimals_stay_exact(self, amount: Decimal) -> None:
        """An amount that ends within 18 decimals is written exactly."""
        assert Fraction(money.unrounded(Fraction(amount))) == Fraction(amount)

    def test_without_end(self) -> None:
        """A third of a euro is cut after 18 decimals, towards zero."""
        assert money.text(money.unrounded(Fraction(1, 3))) == "0." + "3" * 18
        assert money.text(money.unrounded(Fraction(-2, 3))) == "-0." + "6" * 18

    @pytest.mark.parametrize(
        ("exact", "written"), [("0", "0.00"), ("5", "5.00"), ("100", "100.00"), ("0.4204", "0.4204")]
    )
    def test_two_decimals_at_least(self, exact: str, written: str) -> None:
        """An amount has two decimals at the least."""
        assert money.text(money.unrounded(Decimal(exact))) == written
        assert money.text(money.at_least_cents(Decimal(exact))) == written

    @given(st.lists(DECIMALS))
    def test_exact_sum(self, amounts: list[Decimal]) -> None:
        """A sum of decimals equals the sum of their fractions, and an empty one is 0.00."""
        assert Fraction(money.exact_sum(amounts)) == sum(map(Fraction, amounts))
        assert money.text(money.exact_sum([])) == "0.00"


class TestExactness:
    """Art. 24: « il ne faudra en aucun cas procéder à un arrondi de l’engagement contractuel »."""

    def test_commitments_are_as_written(self) -> None:
        """99.999 stays 99.999, and ten nines after the point stay ten."""
        promised = {row.name: money.text(row.promised) for row in load().commitments}
        assert promised["SLA5.internet"] == "99.999"
        assert promised["SLA1.durability"] == "99.9999999999"
        assert promised["SLA4.vm"] == "99.8"

    def test_no_float_and_no_clock_in_the_contract(self) -> None:
        """No module of the contract names a float, rounds, or reads a clock."""
        forbidden = {"float", "round", "now", "today", "utcnow", "time_ns"}
        folder = Path(str(ledger.contract.__file__)).parent
        sources = [*folder.rglob("*.py"), folder.parent / "money.py", folder.parent / "instants.py"]
        assert len(sources) > 5
        found = [
            f"{source.name}:{node.lineno}"
            for source in sources
            for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
            if (isinstance(node, ast.Constant) and isinstance(node.value, float))
            or (isinstance(node, ast.Name) and node.id in forbidden)
            or (isinstance(node, ast.Attribute) and node.attr in forbidden)
        ]
        assert found == []
