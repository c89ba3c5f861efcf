"""The register of readings: where the contract bears several meanings, numbered and worded once.

The data stand in ``terms/readings.toml``, their grounds in ``docs/INTERPRETATIONS.md``. Options are
counted from 1, and the first is the primary one.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import TypeVar

from ledger.contract.finding import Conclusion, Reading, Readings
from ledger.errors import WrongCallError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Point:
    """One point on which the text bears several readings; ``words`` has the primary one first."""

    number: str
    point: str
    articles: tuple[str, ...]
    words: tuple[str, ...]


@cache
def register() -> dict[str, Point]:
    """Every point by its number (``R1`` …), in the order of the register."""
    source = resources.files("ledger.contract.terms").joinpath("readings.toml")
    return {
        number: Point(number, row["point"], tuple(row["articles"]), tuple(row["words"]))
        for number, row in tomllib.loads(source.read_text(encoding="utf-8")).items()
    }


def words(reading: str) -> tuple[str, ...]:
    """The wordings of a reading, the primary one first.

    Raises:
        WrongCallError: the register has no such reading.
    """
    try:
        return register()[reading].words
    except KeyError:
        raise WrongCallError(
            f"{reading!r} is not a reading of the register (R1 to R{len(register())})"
        ) from None


def options(reading: str, *values: T) -> tuple[tuple[str, T], ...]:
    """Pair each value with its wording, for ``Readings.decide``; one value for each wording."""
    return tuple(zip(words(reading), values, strict=True))


def choice(readings: Readings, reading: str) -> int:
    """The number of the option chosen for a reading: 1 unless chosen otherwise.

    Raises:
        WrongCallError: there is no such reading, or it has no such option.
    """
    number, known = readings.chosen.get(reading, 1), len(words(reading))
    if not 1 <= number <= known:
        raise WrongCallError(f"{reading} has {known} readings, not {number}")
    return number


def choosing(readings: Readings, reading: str, number: int) -> Readings:
    """The same readings with one of them chosen anew."""
    return replace(readings, chosen={**readings.chosen, reading: number})


def weighed(
    readings: Readings, points: Iterable[str], conclude: Callable[[Readings], Conclusion[T]]
) -> Conclusion[T]:
    """Conclude as chosen where several readings bear on one value.

    Each of ``points`` is listed, with the value under each of its options while the others stay as
    chosen, only when its options lead to different values.
    """
    chosen = conclude(readings)
    listed: list[Reading[T]] = []
    for point in points:
        number = choice(readings, point)
        values = [
            chosen.value if place == number else conclude(choosing(readings, point, place)).value
            for place in range(1, len(words(point)) + 1)
        ]
        if any(value != values[0] for value in values[1:]):
            listed += (
                Reading(point, text, value, primary=place == 0)
                for place, (text, value) in enumerate(options(point, *values))
            )
    return replace(chosen, readings=tuple(listed))


def check(readings: Readings) -> None:
    """Refuse choices that the register does not know.

    Raises:
        WrongCallError: a choice names an unknown reading or an option that it does not have.
    """
    for reading in readings.chosen:
        choice(readings, reading)
