"""A fact as an explanation names it, without its bytes, so that a long history stays small."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ledger.facts.recorded import Recorded


@dataclass(frozen=True, slots=True)
class Cited:
    """What an explanation says of a fact: all but its leaf."""

    position: int
    subject: str
    type: str
    legal_time: datetime
    clock: str

    @classmethod
    def of(cls, fact: Recorded) -> Cited:
        """The fact without its leaf."""
        return cls(fact.position, fact.subject, fact.type, fact.legal_time, fact.clock)
