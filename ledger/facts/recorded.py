"""A fact as the record holds it: its leaf, its place, and its legal time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from functools import cached_property
from typing import Any

import orjson

from ledger.facts.catalogue import TYPES, account_of
from ledger.facts.shape import FactModel


class ClockKind(IntEnum):
    """The kinds of clock, weakest first: an answer names the weakest that it rests on."""

    ASSERTED = 0
    SIMULATED = 1
    EMBEDDED = 2
    POSTFIX = 3


def clock_kind(clock: str) -> ClockKind:
    """The kind of a clock by its name (``asserted``, ``simulated``, ``embedded``, ``postfix:HOST``)."""
    return ClockKind[clock.partition(":")[0].upper()]


@dataclass(frozen=True)
class Recorded:
    """One recorded fact.

    ``position`` is its 0-based leaf index; ``legal_time`` is the instant that counts between the
    parties (art. 23), ``recorded_at`` the stamp of its commit; ``clock`` is what its legal time rests
    on: ``postfix:HOST``, ``embedded``, ``simulated`` or ``asserted``. ``not_after`` bounds the legal time
    from above: a mail cannot have reached the server later than that (for a fact that came by no mail it
    is the legal time itself). Instants are UTC.
    """

    position: int
    version: int
    legal_time: datetime
    not_after: datetime
    recorded_at: datetime
    clock: str
    leaf: bytes

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The leaf as parsed JSON (trusted: ``greffe audit`` is what distrusts it)."""
        fields: dict[str, Any] = orjson.loads(self.leaf)
        return fields

    @property
    def subject(self) -> str:
        """Whose history it belongs to."""
        subject: str = self.fields["subject"]
        return subject

    @property
    def account(self) -> str:
        """The account, or ``COMMON``."""
        return account_of(self.subject)

    @property
    def type(self) -> str:
        """What happened."""
        kind: str = self.fields["type"]
        return kind

    @property
    def mail(self) -> str | None:
        """The subject of the mail whose legal time it takes, if it came by mail."""
        return self.fields.get("mail")

    @property
    def history(self) -> bool:
        """Whether it is from before the ledger, its legal time asserted."""
        return self.fields.get("history") is True

    @cached_property
    def data(self) -> FactModel:
        """The data as the model of its type; personal fields hold commitments."""
        return TYPES[self.type].model.model_validate(self.fields["data"])

    def __hash__(self) -> int:
        """By position: a log has one leaf at each."""
        return hash(self.position)
