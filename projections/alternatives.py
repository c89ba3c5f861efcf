"""What would change under each other reading: which conclusions, and how many euros."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ledger import money
from ledger.contract.finding import PRIMARY, Readings, jsonable
from ledger.contract.readings import register

if TYPE_CHECKING:
    from projections.answers import Answers, Asked, Witnessed

LONGEST_PAGE = 500
"""How many rows of a paged answer are decided again for each reading."""

_UNDECIDED = frozenset({"timeline"})
_AMOUNT = re.compile(r"-?[0-9]+\.[0-9]{2,}\Z")
_IDENTITY = (
    "subject", "entry", "what", "month", "region", "service", "resource", "unit", "commitment",
    "resource_id", "period", "topic",
)  # fmt: skip
"""What tells the rows of an answer apart, whatever reading decides their order and number."""

_TOTALS = {
    "balance": ("total",),
    "sla": ("capped_penalty",),
    "reservations": ("credit_note",),
    "liability": ("cap",),
    "usage": ("amount",),
}
"""Where each projection says how many euros it is about."""

Found = dict[tuple[str, ...], Mapping[str, Any]]


def alternatives(
    answers: Answers, account: str, *, as_of: datetime | None, known_at: datetime | None = None
) -> dict[str, Any]:
    """Decide everything again under each other reading, one at a time, and say what moves.

    Each row of the result names a reading and its option (from 2 on: the first is the primary one), the
    conclusions that it changes, and the difference in euros that it makes to each projection's amounts.
    A paged answer is compared over its first ``LONGEST_PAGE`` rows.

    Raises:
        NotRecordedError: there is no such account in the record.
        WrongCallError: an instant has no offset.
    """
    from projections.answers import Witnessed  # noqa: PLC0415 - it is built on this module

    asked, seen = answers.prepare(account, as_of, known_at, PRIMARY, limit=LONGEST_PAGE), Witnessed()
    at, names = asked.question.as_of, [name for name in answers.names if name not in _UNDECIDED]
    primary = {name: _found(answers, name, asked, seen) for name in names}
    rows = []
    for number, point in register().items():
        for option, text in enumerate(point.words[1:], start=2):
            chosen = Readings({number: option})
            other = answers.prepare(account, at, known_at, chosen, limit=LONGEST_PAGE)
            moved = [
                change
                for name in names
                for change in _changes(name, primary[name], _found(answers, name, other, seen))
            ]
            rows.append(
                {
                    "reading": number,
                    "option": option,
                    "point": point.point,
                    "text": text,
                    "conclusions": moved,
                    "euros": dict(_euros(moved)),
                }
            )
    return {**answers.envelope(asked, seen), "result": rows}


def _found(answers: Answers, name: str, asked: Asked, seen: Witnessed) -> Found:
    return dict(_walk(jsonable(answers.conclude(name, asked, seen)), ()))


def _walk(node: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:  # noqa: ANN401 - any JSON
    if isinstance(node, Mapping):
        if {"value", "rule", "article"} <= node.keys():
            yield path, node
        else:
            for key, item in node.items():
                yield from _walk(item, (*path, key))
    elif isinstance(node, list):
        for place, item in enumerate(node):
            yield from _walk(item, (*path, _identity(item, place)))


def _identity(row: Any, place: int) -> str:  # noqa: ANN401 - any JSON
    told = (
        [str(row[key]) for key in _IDENTITY if row.get(key) is not None] if isinstance(row, Mapping) else []
    )
    return " ".join(told) or str(place)


def _changes(name: str, primary: Found, other: Found) -> Iterator[dict[str, Any]]:
    for path in dict.fromkeys((*primary, *other)):
        before, after = primary.get(path), other.get(path)
        told = before or after or {}
        was, now = (None if row is None else row["value"] for row in (before, after))
        if was != now:
            moved = _moved(was, now)
            yield {
                "projection": name,
                "path": "/".join(path),
                "rule": told["rule"],
                "article": told["article"],
                "primary": was,
                "value": now,
                **({} if moved is None else {"moves": money.text(moved)}),
            }


def _moved(was: Any, now: Any) -> Decimal | None:  # noqa: ANN401 - any value
    """By how many euros an amount moves; one that is not there, or not known, counts as nothing."""
    amounts = [value for value in (was, now) if isinstance(value, str) and _AMOUNT.match(value)]
    if not amounts or any(value is not None and value not in amounts for value in (was, now)):
        return None
    first, second = (Decimal(0) if value is None else Decimal(value) for value in (was, now))
    return money.exact_sum((second, -first))


def _euros(moved: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for name, ends in _TOTALS.items():
        amounts = [
            Decimal(row["moves"])
            for row in moved
            if row["projection"] == name and "moves" in row and row["path"].rpartition("/")[2] in ends
        ]
        if amounts:
            yield name, money.text(money.exact_sum(amounts))
