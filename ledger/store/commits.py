"""One commit: a stamp leaf and the facts that it dates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_microseconds(instant: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (instant - _EPOCH) // _MICROSECOND


def from_microseconds(count: int) -> datetime:
    """The instant so many microseconds after 1970, in UTC."""
    return _EPOCH + timedelta(microseconds=count)


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit as its row says: the stamp leaf's position, the facts after it, the root over all."""

    position: int
    count: int
    root: bytes
    frontier: bytes
    stamped_at: datetime
    server: str
    queue_id: str

    @property
    def size(self) -> int:
        """The number of leaves once it is made."""
        return self.position + 1 + self.count
