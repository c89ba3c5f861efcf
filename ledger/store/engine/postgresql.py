"""PostgreSQL (15 or later): a ledger is the tables of one schema, the first of the connection's search path.

An advisory lock makes one writer at a time of any number of processes on any number of hosts; it is let go
once the transaction is durable and visible, so that who takes it next sees all that was written.
"""

from __future__ import annotations

import select
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import lru_cache
from itertools import count
from typing import Any, cast

import psycopg
from psycopg import errors
from psycopg.pq import TransactionStatus

from ledger.errors import StoreUnavailableError, WrongLedgerError
from ledger.store import schema
from ledger.store.engine import LOCK_TIMEOUT_SECONDS, Kind, shown
from ledger.store.engine.arrays import COLUMNS, Bigints, Texts, register

CHANNEL = "greffe"
_ROWS_AT_ONCE = 2_000
_CONNECT_SECONDS = 10
_READS = 10
_STALLED_WRITER_SECONDS = 60
"""A writer that stops in the middle of a transaction is cut off after this, so that others go on."""

_KEY = "hashtextextended('greffe ' || current_schema(), {})"
_LOCK = f"SELECT pg_advisory_xact_lock({_KEY.format(0)})"
_ALONE = f"SELECT pg_try_advisory_lock({_KEY.format(1)})"
_DURABLE = frozenset({"on", "remote_apply"})
_TRIGGERS = (
    "SELECT t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
    " WHERE c.relnamespace = current_schema()::regnamespace AND t.tgenabled = 'A' AND NOT t.tgisinternal"
)


@lru_cache(1_000)
def _translated(statement: str) -> str:
    return statement.replace("%", "%%").replace("?", "%s")


@contextmanager
def _told() -> Iterator[None]:
    """Say what the server refuses in our own words, when it is not the statement's fault."""
    try:
        yield
    except errors.InsufficientPrivilege as error:
        raise WrongLedgerError(f"this role may not do that: {error}") from error
    except errors.ReadOnlySqlTransaction as error:
        raise StoreUnavailableError(f"this server does not take writes now: {error}") from error
    except errors.OperationalError as error:
        raise StoreUnavailableError(f"the database server is not at hand: {error}") from error


class PostgresqlConnection:
    """A connection of the driver, with what the store needs, in the few words of ``sqlite3``'s."""

    text = 'TEXT COLLATE "C"'

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._names = count()

    def __del__(self) -> None:
        self.close()

    @property
    def broken(self) -> bool:
        """Whether the server has gone, or this connection was closed; asked before it is used again."""
        connection = self._connection
        if not connection.closed:
            waiting = select.poll()
            waiting.register(connection.fileno(), select.POLLIN)
            for _ in range(_READS):  # nobody asked anything: what is there is a notice, or the end
                if connection.closed or not waiting.poll(0):
                    break
                with suppress(psycopg.Error):
                    connection.pgconn.consume_input()
        return connection.closed

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> psycopg.Cursor[Any]:
        """Run one statement."""
        with _told():
            if parameters:
                return self._connection.execute(_translated(statement), parameters, binary=True)
            return self._connection.execute(statement, binary=True)

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each row."""
        with _told(), self._connection.cursor() as cursor:
            cursor.executemany(_translated(statement), list(rows))

    def each(self, statement: str, parameters: Sequence[Any] = ()) -> Iterator[Any]:
        """The rows of a long answer, some at a time from a cursor of the server."""
        began = self._connection.info.transaction_status == TransactionStatus.INTRANS
        with _told(), self._connection.cursor(f"greffe_{next(self._names)}", withhold=not began) as cursor:
            cursor.itersize = _ROWS_AT_ONCE
            cursor.execute(
                _translated(statement) if parameters else statement, parameters or None, binary=True
            )
            yield from cursor

    def insert(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        """Put whole rows into a table of the ledger, column by column in one statement."""
        if rows:
            kinds = schema.COLUMNS[table].values()
            columns = [
                COLUMNS[kind](values) for kind, values in zip(kinds, zip(*rows, strict=True), strict=True)
            ]
            marks = ",".join("?" * len(columns))
            self.execute(f"INSERT INTO {table} SELECT * FROM unnest({marks})", columns)  # noqa: S608

    def among(self, values: Iterable[int] | Iterable[str], kind: Kind) -> tuple[str, Any]:
        """The condition that a column is in a list, and the one parameter that stands for it."""
        if kind == "bigint":
            return "= ANY(?)", Bigints(cast("Iterable[int]", values))
        return "= ANY(?)", Texts(cast("Iterable[str]", values))

    @contextmanager
    def together(self) -> Iterator[None]:
        """Send statements whose answers nobody waits for one behind the other."""
        with _told(), self._connection.pipeline():
            yield

    def begin_writing(self) -> None:
        """Begin a transaction as the one writer of this ledger, on whatever host."""
        self.execute("BEGIN")
        self.execute(_LOCK)

    def begin_snapshot(self) -> None:
        """Begin a transaction that only reads, and sees one instant."""
        self.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def commit(self) -> None:
        """Make durable what was written; when the answer is lost, nobody knows whether it was."""
        self.execute("COMMIT")

    def rollback(self) -> None:
        """Undo what was written; a server that has gone does it by itself."""
        with suppress(StoreUnavailableError, psycopg.Error):
            self.execute("ROLLBACK")

    def announce(self, size: int) -> None:
        """Notify who listens, when the transaction commits."""
        self.execute(f"SELECT pg_notify('{CHANNEL}', current_schema() || ' ' || ?)", (str(size),))

    def listen(self) -> bool:
        """Be told of commits from now on; a standby cannot tell, and is polled."""
        try:
            self.execute(f"LISTEN {CHANNEL}")
        except psycopg.Error:
            return False
        return True

    def heard(self, seconds: float) -> bool:
        """Wait until something was announced, or so long."""
        with _told():
            return any(True for _ in self._connection.notifies(timeout=seconds, stop_after=1))

    def hold_alone(self) -> bool:
        """Whether this connection, for as long as it lasts, is the only one that asked for this."""
        return self.execute(_ALONE).fetchone() == (True,)

    def overwrite(self) -> None:
        """Nothing: a deleted row stays in its page until the table is written anew."""

    def relax(self) -> None:
        """Let commits of this connection become durable with the next one of another."""
        self.execute("SET synchronous_commit = off")

    def damaged(self) -> list[str]:
        """Nothing that a client can see."""
        return []

    def unexamined(self) -> str | None:
        """The files are the server's own."""
        return (
            "The ledger lies in PostgreSQL: the server's own files and indexes were not examined here;"
            " pg_checksums and pg_amcheck examine them."
        )

    def tables(self) -> set[str]:
        """The names of the tables of the schema."""
        found = self.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        return {name for (name,) in found}

    def triggers(self) -> set[str]:
        """The names of the triggers that fire whatever the session says."""
        return {name for (name,) in self.execute(_TRIGGERS)}

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()


def connect(url: str, *, reading: bool = False) -> PostgresqlConnection:
    """A connection with the settings that every reader and writer of a ledger shares.

    Raises:
        StoreUnavailableError: the server cannot be reached.
        WrongLedgerError: there is no such schema, or what is written there would not be durable.
    """
    try:
        connection = psycopg.connect(
            url, autocommit=True, connect_timeout=_CONNECT_SECONDS, application_name="greffe",
            client_encoding="utf8",
        )  # fmt: skip
    except psycopg.ProgrammingError as error:
        raise WrongLedgerError(f"{shown(url)} is no address of PostgreSQL: {error}") from error
    except psycopg.OperationalError as error:
        raise StoreUnavailableError(f"{shown(url)} cannot be reached: {error}") from error
    register(connection)
    opened = PostgresqlConnection(connection)
    if opened.execute("SELECT current_schema()").fetchone() == (None,):
        raise WrongLedgerError(f"{shown(url)} names a schema that is not there: CREATE SCHEMA makes it")
    if reading:
        opened.execute("SET default_transaction_read_only = on")
    else:
        _settle(opened, url)
    return opened


def _settle(connection: PostgresqlConnection, url: str) -> None:
    """See to it that a commit is durable, and that nobody waits for ever."""
    settings = dict(
        connection.execute(
            "SELECT name, setting FROM pg_settings WHERE name IN"
            " ('fsync', 'full_page_writes', 'synchronous_commit', 'server_encoding')"
        ).fetchall()
    )
    for name in ("fsync", "full_page_writes"):
        if settings[name] != "on":
            raise WrongLedgerError(f"{shown(url)} has {name} off: what is acknowledged there could be lost")
    if settings["server_encoding"] != "UTF8":
        raise WrongLedgerError(f"{shown(url)} is a database in {settings['server_encoding']}: UTF8 is needed")
    if settings["synchronous_commit"] not in _DURABLE:
        connection.execute("SET synchronous_commit = on")
    connection.execute(f"SET lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'")
    connection.execute(f"SET idle_in_transaction_session_timeout = '{_STALLED_WRITER_SECONDS}s'")


def rewrite(url: str) -> None:
    """Write the vault's tables anew without their dead rows; then a checkpoint, where this role may.

    What the server wrote of them before (its write-ahead log, archives, backups) is out of reach here.

    Raises:
        WrongLedgerError: the tables are another role's.
        StoreUnavailableError: somebody else has them in use.
    """
    with closing(connect(url)) as connection:
        for table in ("vault_key", "sealed", "raw_mail", "meta"):
            connection.execute(f"VACUUM FULL {table}")
        with suppress(WrongLedgerError):  # pg_checkpoint is a role of its own
            connection.execute("CHECKPOINT")
