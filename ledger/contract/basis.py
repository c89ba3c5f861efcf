"""What conclusions rest on beside facts: the texts, their numbers, rates, readings, and the clock of Paris.

A change of any of these would change conclusions without a trace in the facts; so their digests are on the
record (``basis.recorded``), and in every evidence package.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from ledger import instants
from ledger.contract.terms import files

PARIS = "zone/Europe/Paris"
_FIRST, _LAST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC)
_DAY, _SECOND = timedelta(days=1), timedelta(seconds=1)


def basis() -> dict[str, str]:
    """The SHA-256 of each, in hexadecimal, by name, such as ``terms/2021-06.toml``."""
    found = {f"terms/{name}": hashlib.sha256(data).hexdigest() for name, data in files()}
    found[PARIS] = hashlib.sha256(_paris().encode()).hexdigest()
    return dict(sorted(found.items()))


def _paris() -> str:
    """Each change of the offset of Paris from 1990 to 2049, a line each, however it is stored."""
    lines, at = [], _FIRST
    while at < _LAST:
        if _offset(at) != _offset(at + _DAY):
            changed = _change(at, at + _DAY)
            lines.append(f"{instants.plain(changed)} {_offset(changed)}")
        at += _DAY
    return "\n".join(lines)


def _change(before: datetime, after: datetime) -> datetime:
    """The first instant of the offset that holds at ``after``."""
    while after - before > _SECOND:
        middle = before + (after - before) // 2
        if _offset(middle) == _offset(before):
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def _offset(at: datetime) -> timedelta | None:
    return at.astimezone(instants.PARIS).utcoffset()
