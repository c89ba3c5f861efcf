"""Real recorded facts for tests: the envelope is parsed, personal values sealed, the leaf encoded."""

from __future__ import annotations

import hashlib
import itertools
from datetime import datetime
from typing import Any

import ledger.facts  # noqa: F401 - fills the catalogue
from ledger import instants
from ledger.facts.envelope import encode, parse_events
from ledger.facts.personal import commitment_to, opening_of
from ledger.facts.recorded import Recorded

_POSITIONS = itertools.count(1)
_SALT = "AAAAAAAAAAAAAAAAAAAAAA"


def seal(retention: str, value: str) -> str:
    """The commitment to a personal value under a key that depends on its class alone."""
    key = hashlib.sha256(b"test key of " + retention.encode()).digest()
    clear = value.encode()
    return commitment_to(opening_of(key, clear), clear)


def recorded(
    kind: str,
    subject: str,
    data: dict[str, Any] | None = None,
    at: str | datetime = "2021-06-01T00:00:00Z",
    *,
    mail: str | None = None,
    not_after: str | datetime | None = None,
    position: int | None = None,
    history: bool = False,
    version: int = 1,
    clock: str | None = None,
) -> Recorded:
    """A fact whose legal time is ``at``; positions grow from test to test unless one is given.

    ``not_after`` (``at`` when left out) is also when it was recorded. Types and stamps that only the
    ledger writes are admitted.
    """
    legal_time = instants.parse_instant(at) if isinstance(at, str) else at
    latest = instants.parse_instant(not_after) if isinstance(not_after, str) else not_after or legal_time
    place = next(_POSITIONS) if position is None else position
    event: dict[str, Any] = {
        "specversion": "1.0", "id": f"f-{place}", "source": "/test", "type": kind, "subject": subject,
        "data": data or {},
    }  # fmt: skip
    if mail is not None:
        event["mail"] = mail
    if history:
        event |= {"history": True, "time": instants.canonical(legal_time)}
    (draft,) = parse_events([event], by_ledger=True)
    leaf = encode({**draft.content(seal), "salt": _SALT})
    read_from = clock or ("asserted" if history else "simulated")
    return Recorded(place, version, legal_time, latest, latest, read_from, leaf)


def in_order(*facts: Recorded) -> list[Recorded]:
    """Facts as a projection gets them: by legal time, then position."""
    return sorted(facts, key=lambda fact: (fact.legal_time, fact.position))
