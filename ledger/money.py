"""Amounts: exact decimals in, exact fractions between, one rounding at the end (reading R9)."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction

CENT = Decimal("0.01")
NIL = Decimal("0.00")
_DIGITS = 80


def half_up_to_the_cent(amount: Fraction | Decimal) -> Decimal:
    """Round a result half up to the cent, away from zero at the half: the one rounding of an amount."""
    exact = Fraction(amount)
    cents = abs(exact) * 100
    whole = (2 * cents.numerator + cents.denominator) // (2 * cents.denominator)
    with localcontext(prec=_DIGITS):
        return Decimal(whole if exact >= 0 else -whole).scaleb(-2)


def at_least_cents(amount: Decimal) -> Decimal:
    """Write an exact amount with two decimals, or more when it has more: never rounds."""
    with localcontext(prec=_DIGITS):
        exponent = amount.as_tuple().exponent
        return amount.quantize(CENT, ROUND_HALF_UP) if isinstance(exponent, int) and exponent > -2 else amount


def text(amount: Decimal) -> str:
    """Write a decimal as a plain string, without exponent."""
    return format(amount, "f")
