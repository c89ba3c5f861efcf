"""The persistence module for ``eventsourcing`` on SQLite: one stream per subject, leaves as states.

Select it with ``PERSISTENCE_MODULE=ledger.store.sqlite`` and ``SQLITE_DBNAME=FILE``. Differences from
the library's own module, each measured or forced (``DESIGN.md`` §5): positions are gap-free and start
at 0 (notification id = position + 1), subjects and topics are interned as integers, writing begins
with BEGIN IMMEDIATE under ``synchronous=FULL``, and nothing is inserted without a stamped commit.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from eventsourcing import sqlite as library
from eventsourcing.persistence import JSONTranscoder, Mapper, Notification, ProgrammingError, StoredEvent
from eventsourcing.sqlite import (
    SQLiteApplicationRecorder,
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteCursor,
    SQLiteDatastore,
)
from eventsourcing.utils import Environment, EnvType

from ledger.errors import WrongLedgerError
from ledger.store import schema
from ledger.store.engine import LOCK_TIMEOUT_SECONDS, writing
from ledger.store.engine.sqlite import SqliteConnection, connect
from ledger.store.leaves import NO_STAMP, LeafMapper, events_of, notifications_of
from ledger.store.writing import Writing, bring_up, check_format


class _Connections(SQLiteConnectionPool):
    def _create_connection(self) -> SQLiteConnection:
        return SQLiteConnection(sqlite_conn=connect(self.db_name), max_age=self.max_age)


class LedgerRecorder(SQLiteApplicationRecorder):
    """The library's application recorder over the ledger's tables."""

    def construct_create_table_statements(self) -> list[str]:
        """The ledger's own schema."""
        return list(schema.STATEMENTS)

    def create_table(self) -> None:
        """Make the tables of a new ledger, or check that those of an old one are of this format.

        Raises:
            WrongLedgerError: the file holds another format.
        """
        with self.writing_connection() as connection:
            tables = connection.tables()
            if tables and "meta" not in tables:
                raise WrongLedgerError("the file is a database, but not a ledger of Greffe")
            for statement in self.create_table_statements:
                connection.execute(statement)
            connection.execute(
                "INSERT INTO meta VALUES ('format', ?) ON CONFLICT DO NOTHING", (str(schema.FORMAT),)
            )
            bring_up(connection)
            check_format(connection)

    @contextmanager
    def writing_connection(self) -> Iterator[SqliteConnection]:
        """A connection under the writer's lock; durable afterwards, unless an error leaves it."""
        with self._connection(commit=True) as connection, writing(connection):
            yield connection

    def close(self) -> None:
        """Let go of the file."""
        self.datastore.close()

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """The log under the writer's lock."""
        with self.writing_connection() as connection:
            yield Writing(connection)

    @contextmanager
    def _connection(self, *, commit: bool) -> Iterator[SqliteConnection]:
        with self.datastore.get_connection(commit=commit) as pooled:
            connection = pooled._sqlite_conn  # noqa: SLF001 - the library offers no accessor
            assert isinstance(connection, SqliteConnection)  # noqa: S101 - the pool makes no other
            yield connection

    def _insert_events(
        self,
        c: SQLiteCursor,  # noqa: ARG002 - the library's signature
        stored_events: Sequence[StoredEvent],  # noqa: ARG002 - the library's signature
        **_: object,
    ) -> Sequence[int] | None:
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
        with self._connection(commit=False) as connection:
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
        with self._connection(commit=False) as connection:
            return notifications_of(
                connection, start, limit, stop, topics, inclusive_of_start=inclusive_of_start
            )

    def _max_notification_id(self, c: SQLiteCursor) -> int:
        c.execute("SELECT MAX(position) + 1 FROM leaf")
        greatest: int = c.fetchone()[0]
        return greatest


class Factory(library.SQLiteFactory):
    """Makes the ledger's recorder and mapper for the library.

    The library finds it as the one factory named in this module, so its own is not imported by name.
    """

    application_recorder_class = LedgerRecorder

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        path = str(self.env.get(self.SQLITE_DBNAME))
        _private(path)
        self.datastore.close()
        self.datastore = SQLiteDatastore(path, lock_timeout=LOCK_TIMEOUT_SECONDS, originator_id_type="text")
        self.datastore.pool.close()
        self.datastore.pool = _Connections(db_name=path, lock_timeout=LOCK_TIMEOUT_SECONDS)

    def application_recorder(self) -> LedgerRecorder:
        """The recorder over this ledger's tables, which are made when they are missing."""
        recorder = LedgerRecorder(self.datastore)
        recorder.create_table()
        return recorder

    def mapper(self, *_arguments: object, **_options: object) -> Mapper[Any]:
        """Leaves are their own serialisation: no transcoder, compressor or cipher applies."""
        return LeafMapper(JSONTranscoder())


def _private(path: str) -> None:
    """Create the file readable by its owner alone, before SQLite does with the umask's mode."""
    if not Path(path).exists():
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
