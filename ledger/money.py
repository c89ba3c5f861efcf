"""Amounts: exact decimals in, exact fractions between, one rounding at the end (reading R9)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction

CENT = Decimal("0.01")
NIL = Decimal("0.00")
_WRITTEN_DECIMALS = 18
_EXACT = Context(prec=80)
"""Eighty digits hold every amount and every sum of them exactly."""


def half_up_to_the_cent(amount: Fraction | Decimal) -> Decimal:
    """Round a result half up to the cent, away from zero at the half: the one rounding of an amount."""
    exact = Fraction(amount)
    cents = abs(exact) * 100
    whole = (2 * cents.numerator + cents.denominator) // (2 * cents.denominator)
    return Decimal(whole if exact >= 0 else -whole).scaleb(-2, _EXACT)


def unrounded(amount: Fraction | Decimal) -> Decimal:
    """Write an exact result that is not to be rounded (reading R9, its second answer).

    Exact when it has at most 18 decimals; a result that does not end there (a third of a euro) is
    written with 18, the rest cut off, since a decimal string cannot hold it.
    """
    exact = Fraction(amount)
    whole = abs(exact) * 10**_WRITTEN_DECIMALS
    digits = whole.numerator // whole.denominator
    written = Decimal(digits if exact >= 0 else -digits).scaleb(-_WRITTEN_DECIMALS, _EXACT)
    return at_least_cents(written.normalize(_EXACT))


def exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    """Add decimals without ever rounding; two decimals at the least, ``0.00`` for none."""
    total = NIL
    for amount in amounts:
        total = _EXACT.add(total, amount)
    return total


def exact_product(amount: Decimal, factor: Decimal) -> Decimal:
    """Multiply decimals without ever rounding."""
    return _EXACT.multiply(amount, factor)


def at_least_cents(amount: Decimal) -> Decimal:
    """Write an exact amount with two decimals, or more when it has more: never rounds."""
    exponent, cents = amount.as_tuple().exponent, CENT.as_tuple().exponent
    is_shorter = isinstance(exponent, int) and isinstance(cents, int) and exponent > cents
    return amount.quantize(CENT, ROUND_HALF_UP, _EXACT) if is_shorter else amount


def text(amount: Decimal) -> str:
    """Write a decimal as a plain string, without exponent."""
    return format(amount, "f")
