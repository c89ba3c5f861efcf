"""SQLite: one file, in WAL mode, durable at each commit (``synchronous=FULL``)."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from typing import Any

import orjson

from ledger.errors import WrongLedgerError
from ledger.store.engine import LOCK_TIMEOUT_SECONDS, Kind

_CACHE_KIB = 64 * 1024
_IN_LIST = "IN (SELECT value FROM json_each(?))"


class SqliteConnection(sqlite3.Connection):
    """The driver's own connection, with what the store needs beside it."""

    text = "TEXT"

    @property
    def broken(self) -> bool:
        """A file does not go away."""
        return False

    def each(self, statement: str, parameters: Sequence[Any] = ()) -> Iterator[Any]:
        """The rows of a long answer, which is never in memory as a whole."""
        return self.execute(statement, parameters)

    def insert(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        """Put whole rows into a table of the ledger."""
        if rows:
            marks = ",".join("?" * len(rows[0]))
            self.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608 - our tables

    def among(self, values: Iterable[int] | Iterable[str], kind: Kind) -> tuple[str, Any]:  # noqa: ARG002
        """The condition that a column is in a list, and the one parameter that stands for it."""
        return _IN_LIST, orjson.dumps(list(values)).decode()

    def together(self) -> AbstractContextManager[object]:
        """Nothing to gain: each statement is a call in this process."""
        return nullcontext()

    def begin_writing(self) -> None:
        """Begin a transaction as the one writer: a deferred BEGIN could fail once it has read."""
        self.execute("BEGIN IMMEDIATE")

    def begin_snapshot(self) -> None:
        """Begin a transaction that sees one instant; text comes as it is, whatever its bytes are."""
        self.text_factory = _as_it_is
        self.execute("BEGIN")

    def listen(self) -> bool:
        """Nobody tells of a file."""
        return False

    def heard(self, seconds: float) -> bool:
        """Nothing is ever heard."""
        time.sleep(seconds)
        return False

    def announce(self, size: int) -> None:
        """Nobody is told: who follows a file looks at it."""

    def overwrite(self) -> None:
        """Overwrite deleted rows with zeros."""
        self.execute("PRAGMA secure_delete=ON")

    def relax(self) -> None:
        """Let commits of this connection become durable with the next one of another."""
        self.execute("PRAGMA synchronous=NORMAL")

    def damaged(self) -> list[str]:
        """What SQLite itself finds wrong with the file, its indexes included."""
        found = [text for (text,) in self.execute("PRAGMA integrity_check(20)")]
        return [] if found == ["ok"] else found

    def unexamined(self) -> str | None:
        """Nothing: SQLite examines all of its file."""
        return None

    def tables(self) -> set[str]:
        """The names of the tables in the file."""
        return {name for (name,) in self.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}

    def triggers(self) -> set[str]:
        """The names of the triggers in the file."""
        return {name for (name,) in self.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")}


def _as_it_is(text: bytes) -> str:
    """A text whose bytes may have been altered."""
    return text.decode("utf-8", "replace")


def connect(path: str, *, reading: bool = False) -> SqliteConnection:
    """A connection with the settings that every reader and writer of a ledger shares.

    Raises:
        WrongLedgerError: the file is no database, or cannot be opened.
    """
    try:
        connection = sqlite3.connect(
            path,
            timeout=LOCK_TIMEOUT_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            factory=SqliteConnection,
        )
    except sqlite3.OperationalError as error:
        raise WrongLedgerError(f"{path} cannot be opened as a ledger: {error}") from error
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        if reading:
            connection.execute("PRAGMA query_only=ON")
    except sqlite3.DatabaseError as error:
        connection.close()
        raise WrongLedgerError(f"{path} cannot be opened as a ledger: {error}") from error
    return connection


def rewrite(path: str) -> None:
    """Write a database file anew without its free space, and cut its write-ahead log to nothing.

    Raises:
        WrongLedgerError: another program has the file in use.
    """
    with closing(connect(path)) as connection:
        try:
            connection.overwrite()
            connection.execute("VACUUM")
            (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError as error:
            raise WrongLedgerError(f"{path} cannot be written anew: {error}; repeat the call") from error
    if busy:
        raise WrongLedgerError(f"another program is reading {path}: stop it and repeat the call")
