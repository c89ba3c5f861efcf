"""Leaves as the library's events: how they are mapped, and how its recorders read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, Notification, ProgrammingError, StoredEvent

from ledger.store.engine import Connection

NO_STAMP = "no stamp, no commit: leaves are appended by ledger.recorder.Recorder, under a stamp"
_MOST = 1 << 62


@dataclass(frozen=True)
class LeafEvent:
    """A leaf as the library's domain event: whose stream, which version, what type, which bytes."""

    originator_id: str
    originator_version: int
    topic: str
    state: bytes


class LeafMapper(Mapper[str]):
    """Maps leaves to stored events and back: topic = the fact's type, state = the leaf's bytes."""

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> StoredEvent:
        """The stored event of a leaf."""
        if not isinstance(domain_event, LeafEvent):
            raise ProgrammingError(f"only leaves are stored, not {type(domain_event).__name__}")
        return StoredEvent(
            originator_id=domain_event.originator_id,
            originator_version=domain_event.originator_version,
            topic=domain_event.topic,
            state=domain_event.state,
        )

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[str]:
        """The leaf of a stored event."""
        return LeafEvent(
            str(stored_event.originator_id),
            stored_event.originator_version,
            stored_event.topic,
            stored_event.state,
        )


def events_of(
    connection: Connection, subject: str, gt: int | None, lte: int | None, limit: int | None, *, desc: bool
) -> list[StoredEvent]:
    """The leaves of one subject, by version."""
    order = "DESC" if desc else "ASC"
    rows = connection.execute(
        "SELECT l.version, t.name, l.state FROM leaf l JOIN topic t ON t.id = l.topic"  # noqa: S608
        " WHERE l.subject = (SELECT id FROM subject WHERE name = ?)"
        f" AND l.version > ? AND l.version <= ? ORDER BY l.version {order} LIMIT ?",
        (
            subject,
            -1 if gt is None else gt,
            _MOST if lte is None else lte,
            _MOST if limit is None else limit,
        ),
    )
    return [StoredEvent(subject, version, topic, state) for version, topic, state in rows]


def notifications_of(
    connection: Connection,
    start: int | None,
    limit: int,
    stop: int | None,
    topics: Sequence[str],
    *,
    inclusive_of_start: bool,
) -> list[Notification]:
    """The leaves in order of position; a notification's id is its position + 1."""
    first = 0 if start is None else start - 1 if inclusive_of_start else start
    among, listed = connection.among(topics, "text")
    chosen, names = (f"AND t.name {among}", (listed,)) if topics else ("", ())
    rows = connection.execute(
        "SELECT l.position, s.name, l.version, t.name, l.state FROM leaf l"  # noqa: S608
        " JOIN subject s ON s.id = l.subject JOIN topic t ON t.id = l.topic"
        f" WHERE l.position >= ? AND l.position < ? {chosen} ORDER BY l.position LIMIT ?",
        (first, _MOST if stop is None else stop, *names, limit),
    )
    return [
        Notification(
            id=position + 1, originator_id=subject, originator_version=version, topic=topic, state=state
        )
        for position, subject, version, topic, state in rows
    ]
