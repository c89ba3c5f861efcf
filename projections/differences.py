"""How a live view differs from one built from nothing: each row that one of them alone has."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

Row = tuple[str, int, int, str, str]
"""A row of a view in words: owner, legal time in µs since 1970, position, type, clock."""


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A row of a live view that a view built from nothing does not have, or the reverse."""

    projection: str
    position: int
    message: str

    def __str__(self) -> str:
        """The discrepancy on one line."""
        return f"{self.projection}: position {self.position}: {self.message}"


def differences(name: str, live: Iterator[Row], rebuilt: Iterator[Row]) -> Iterator[Discrepancy]:
    """Rows of one side alone; both sides are in the same order."""
    merged = heapq.merge(
        ((_key(row), row, "live") for row in live), ((_key(row), row, "rebuilt") for row in rebuilt)
    )
    waiting: tuple[tuple[object, ...], Row, str] | None = None
    for item in merged:
        if waiting is not None and item[1] == waiting[1] and item[2] != waiting[2]:
            waiting = None
            continue
        if waiting is not None:
            yield _difference(name, waiting[1], waiting[2])
        waiting = item
    if waiting is not None:
        yield _difference(name, waiting[1], waiting[2])


def _key(row: Row) -> tuple[object, ...]:
    owner, legal_time, position, kind, clock = row
    return position, kind, owner, legal_time, clock


def _difference(name: str, row: Row, side: str) -> Discrepancy:
    owner, legal_time, position, kind, clock = row
    said = f"{kind} of {owner or 'no account'} at {legal_time} µs under {clock}"
    where = "the live view holds it and the log does not" if side == "live" else "the live view lacks it"
    return Discrepancy(name, position, f"{said}: {where}")
