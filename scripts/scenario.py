"""Scenarios: JSON Lines of ``{"at": instant, "fact": {…}}``, recorded under a simulated mail clock.

``at`` never decreases; lines of one instant form one commit. A ``mail.received`` or
``notification.sent`` is stamped at its ``at``, or at ``stamped_at`` when the line has one: a message
that was recorded later than it arrived.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from api.runtime import Runtime
from ledger import instants
from ledger.clock.queue_id import encode
from ledger.clock.simulated import SIMULATED, SimulatedClock
from ledger.errors import ConflictingFactError, Flaw, MalformedFactError, NotRecordedError, WrongCallError
from ledger.facts.envelope import Draft, parse_events
from ledger.facts.strict_json import parse_json
from ledger.recorder import Receipt
from ledger.store import open_record

_MESSAGES = frozenset({"mail.received", "notification.sent"})
_FIELDS = frozenset({"at", "fact", "stamped_at"})
_FACTS_IN_A_COMMIT = 1_000
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a scenario: when it is recorded, and what."""

    number: int
    at: datetime
    draft: Draft


def read_lines(lines: Iterable[bytes]) -> Iterator[Line]:
    """Read a scenario line by line.

    Raises:
        MalformedFactError: a line or its fact is malformed, ``at`` goes back; the flaw names the line.
    """
    before: datetime | None = None
    for number, text in enumerate(lines, start=1):
        if text.strip():
            line = _line(number, text)
            if before is not None and line.at < before:
                raise _flaw(
                    number, "/at", "scenario.at", f"at goes back: {instants.plain(before)} came before"
                )
            before = line.at
            yield line


def _flaw(number: int, field: str, rule: str, message: str) -> MalformedFactError:
    return MalformedFactError(Flaw(f"on line {number}", field, rule, message))


def _line(number: int, text: bytes) -> Line:
    try:
        parsed = parse_json(text)
        if not isinstance(parsed, dict) or not {"at", "fact"} <= parsed.keys() <= _FIELDS:
            raise _flaw(number, "", "scenario.line", 'a line is {"at": instant, "fact": {…}, "stamped_at"?}')
        (draft,) = parse_events([parsed["fact"]])
    except MalformedFactError as error:
        raise MalformedFactError(*(_on_line(number, flaw) for flaw in error.flaws)) from error
    at = _instant(number, parsed, "at")
    if draft.type.name not in _MESSAGES:
        if "stamped_at" in parsed:
            message = "stamped_at belongs to mail.received and notification.sent"
            raise _flaw(number, "/stamped_at", "scenario.stamped_at", message)
        return Line(number, at, draft)
    stamped = _instant(number, parsed, "stamped_at") if "stamped_at" in parsed else at
    return Line(number, at, _stamped(draft, stamped))


def _on_line(number: int, flaw: Flaw) -> Flaw:
    name = (
        f"on line {number}"
        if flaw.fact.startswith(("#", "on line", "request"))
        else f"{flaw.fact} on line {number}"
    )
    return Flaw(name, flaw.field, flaw.rule, flaw.message)


def _instant(number: int, line: dict[str, Any], key: str) -> datetime:
    try:
        return instants.parse_instant(str(line[key]))
    except WrongCallError as error:
        raise _flaw(number, f"/{key}", "scenario.instant", str(error)) from error


def _stamped(draft: Draft, at: datetime) -> Draft:
    """The message as the simulated mail server saw it; the same line always gets the same queue id."""
    digest = hashlib.sha256(f"{draft.id}\n{draft.source}".encode()).digest()
    stamp = {
        "server": SIMULATED,
        "queue_id": encode(at, int.from_bytes(digest[:5])),
        "time": instants.canonical(at),
    }
    return replace(draft, data={**draft.data, "stamp": stamp})


def simulate(lines: Iterable[bytes], db: str) -> Iterator[Receipt]:
    """Record a scenario in the simulated ledger ``db``, new or to be continued; receipts as they come.

    Repeating lines that are recorded already records nothing and gives their first receipts.

    Raises:
        WrongLedgerError: the ledger is a real one.
        FlawedFactsError: a line is refused; those of earlier instants stay recorded.
        WrongCallError: a new line lies before the ledger's last stamp.
    """
    clock = SimulatedClock(_EARLIEST, not_before=_last_stamp(db))
    with Runtime.simulated(db, clock) as runtime:
        recorder = runtime.recorder
        if recorder is None:
            raise WrongCallError("a scenario needs a ledger to write to")
        for at, group in groupby(read_lines(lines), key=lambda line: line.at):
            clock.set(at)
            for request in _requests(list(group)):
                try:
                    yield from recorder.record([line.draft for line in request])
                except ConflictingFactError as error:
                    numbers = {line.draft.id: line.number for line in request}
                    flaws = (_on_line(numbers.get(flaw.fact, 0), flaw) for flaw in error.flaws)
                    raise ConflictingFactError(*flaws) from error


def _requests(lines: Sequence[Line]) -> Iterator[Sequence[Line]]:
    for first in range(0, len(lines), _FACTS_IN_A_COMMIT):
        yield lines[first : first + _FACTS_IN_A_COMMIT]


def _last_stamp(db: str) -> datetime | None:
    try:
        latest = open_record(db).latest()
    except NotRecordedError:
        return None
    return latest.stamped_at if latest else None
