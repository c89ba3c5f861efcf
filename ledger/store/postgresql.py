"""The persistence module for ``eventsourcing`` on PostgreSQL: the same leaves in the same tables.

Select it with ``PERSISTENCE_MODULE=ledger.store.postgresql`` and ``GREFFE_DB=postgresql://…``. The library's
own module is not built on: its recorder inserts composites one by one and takes a table lock, which a role
with INSERT alone may not (``docs/decisions/0010-postgresql.md``).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    InfrastructureFactory,
    JSONTranscoder,
    ListenNotifySubscription,
    Mapper,
    Notification,
    ProcessRecorder,
    ProgrammingError,
    StoredEvent,
    Subscription,
    TrackingRecorder,
)

from ledger.errors import WrongLedgerError
from ledger.store import schema, schema_postgresql
from ledger.store.engine import shown, writing
from ledger.store.engine.postgresql import PostgresqlConnection, connect
from ledger.store.leaves import NO_STAMP, LeafMapper, events_of, notifications_of
from ledger.store.writing import Writing, check_format

DB = "GREFFE_DB"
_STEP = "schema"
_POLL_SECONDS = 0.5


class LedgerRecorder(ApplicationRecorder):
    """The library's application recorder over the ledger's tables; a lost connection is made anew."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.RLock()
        self._connection: PostgresqlConnection | None = None

    def create_table(self) -> None:
        """Make the tables of a new ledger, take the steps that an old one lacks, or check that it lacks none.

        Raises:
            WrongLedgerError: the schema holds something else, or steps that this program does not know.
        """
        with self.writing_connection() as connection:
            tables = connection.tables()
            if tables and "meta" not in tables:
                raise WrongLedgerError(
                    f"{shown(self._url)} holds tables that are not a ledger's: give it a schema of its own"
                )
            taken = _taken(connection) if tables else 0
            for step in schema_postgresql.MIGRATIONS[taken:]:
                for statement in step:
                    connection.execute(statement)
            if taken < len(schema_postgresql.MIGRATIONS):
                _note(connection, len(schema_postgresql.MIGRATIONS))
            check_format(connection)

    @contextmanager
    def writing_connection(self) -> Iterator[PostgresqlConnection]:
        """A connection under the writer's lock; durable afterwards, unless an error leaves it."""
        with self._opened() as connection, writing(connection):
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """The log under the writer's lock."""
        with self.writing_connection() as connection:
            yield Writing(connection)

    @contextmanager
    def _opened(self) -> Iterator[PostgresqlConnection]:
        with self._lock:
            if self._connection is None or self._connection.broken:
                self._connection = connect(self._url)
            yield self._connection

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],  # noqa: ARG002 - the library's signature
        **_: object,
    ) -> Sequence[int] | None:
        """Nothing is inserted past the recorder.

        Raises:
            ProgrammingError: always.
        """
        raise ProgrammingError(NO_STAMP)

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """The leaves of one subject, by version."""
        with self._opened() as connection:
            return events_of(connection, str(originator_id), gt, lte, limit, desc=desc)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """The leaves in order of position; a notification's id is its position + 1."""
        with self._opened() as connection:
            return notifications_of(
                connection, start, limit, stop, topics, inclusive_of_start=inclusive_of_start
            )

    def max_notification_id(self) -> int | None:
        """The id of the last leaf, or ``None`` before the first."""
        with self._opened() as connection:
            row = connection.execute("SELECT MAX(position) + 1 FROM leaf").fetchone()
        greatest: int | None = row[0] if row else None
        return greatest

    def subscribe(
        self, gt: int | None = None, topics: Sequence[str] = ()
    ) -> Subscription[ApplicationRecorder]:
        """The leaves after ``gt``, and those to come as they come."""
        return LeafSubscription(self, gt, topics)

    def close(self) -> None:
        """Let go of the database."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()

    @property
    def url(self) -> str:
        """Where the ledger lies."""
        return self._url


class LeafSubscription(ListenNotifySubscription[LedgerRecorder]):
    """Told by the database when there is more; looks for itself as well, since a notice can be lost."""

    def __init__(self, recorder: LedgerRecorder, gt: int | None = None, topics: Sequence[str] = ()) -> None:
        super().__init__(recorder=recorder, gt=gt, topics=topics)
        self._listening = threading.Thread(target=self._listen, name="greffe-listening", daemon=True)
        self._listening.start()

    def __exit__(self, *args: object, **kwargs: object) -> None:
        try:
            super().__exit__(*args, **kwargs)
        finally:
            self._listening.join()

    def _listen(self) -> None:
        connection: PostgresqlConnection | None = None
        try:
            connection = connect(self._recorder.url, reading=True)
            connection.listen()
            while not self._has_been_stopped and not self._thread_error:
                connection.heard(_POLL_SECONDS)
                self._has_been_notified.set()
        except BaseException as error:  # noqa: BLE001 - whoever iterates is told
            if self._thread_error is None:
                self._thread_error = error
            self.stop()
        finally:
            if connection is not None:
                connection.close()


def _taken(connection: PostgresqlConnection) -> int:
    """How many steps of the schema were taken.

    Raises:
        WrongLedgerError: more than this program knows.
    """
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (_STEP,)).fetchone()
    taken = int(row[0]) if row else 0
    if taken > len(schema_postgresql.MIGRATIONS):
        raise WrongLedgerError(
            f"the ledger's schema has {taken} steps; this program knows {len(schema_postgresql.MIGRATIONS)}"
        )
    return taken


def _note(connection: PostgresqlConnection, taken: int) -> None:
    connection.execute(
        "INSERT INTO meta VALUES (?,?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (_STEP, str(taken)),
    )
    connection.execute("INSERT INTO meta VALUES ('format', ?) ON CONFLICT DO NOTHING", (str(schema.FORMAT),))


class Factory(InfrastructureFactory[TrackingRecorder]):
    """Makes the ledger's recorder and mapper for the library."""

    def application_recorder(self) -> LedgerRecorder:
        """The recorder over this ledger's tables, which are made when they are missing."""
        recorder = LedgerRecorder(str(self.env.get(DB)))
        recorder.create_table()
        return recorder

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        """The same: a ledger has one log.

        Raises:
            ProgrammingError: snapshots are asked for.
        """
        if purpose != "events":
            raise ProgrammingError(f"a ledger keeps no {purpose}")
        return self.application_recorder()

    def tracking_recorder(
        self, tracking_recorder_class: type[TrackingRecorder] | None = None
    ) -> TrackingRecorder:
        """A ledger tracks nothing: projections keep their own position.

        Raises:
            ProgrammingError: always.
        """
        raise ProgrammingError(f"a ledger tracks nothing ({tracking_recorder_class})")

    def process_recorder(self) -> ProcessRecorder:
        """A ledger processes nothing.

        Raises:
            ProgrammingError: always.
        """
        raise ProgrammingError("a ledger processes no events of others")

    def mapper(self, *_arguments: object, **_options: object) -> Mapper[Any]:
        """Leaves are their own serialisation: no transcoder, compressor or cipher applies."""
        return LeafMapper(JSONTranscoder())
