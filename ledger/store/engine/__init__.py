"""What differs between SQLite and PostgreSQL, and nothing else: the store's statements are one set for both.

Statements are written with ``?`` and in the words that both engines know; a connection adds what they do
not share: how writing begins, how many rows go in at once, how a list is asked for, what a snapshot is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol

from ledger.errors import WrongCallError

SQLITE = "sqlite:///"
POSTGRESQL = ("postgresql://", "postgres://")
LOCK_TIMEOUT_SECONDS = 30
_PASSWORD = re.compile(r"([?&](?:ssl)?password=)[^&]*")
Kind = Literal["bigint", "text"]
"""What a list holds, in PostgreSQL's words."""


class Result(Protocol):
    """What a statement gave."""

    def fetchone(self) -> Any:  # noqa: ANN401 - a row of either driver
        """The next row, or ``None``."""

    def fetchall(self) -> list[Any]:
        """The rows that are left."""

    def __iter__(self) -> Iterator[Any]:
        """The rows that are left, one after the other."""


class Connection(Protocol):
    """One connection to a ledger's database; each statement is its own transaction unless one has begun."""

    text: str
    """How a column of text is declared that is compared by its bytes."""

    @property
    def broken(self) -> bool:
        """Whether the server has gone, so that another connection is needed."""

    def execute(self, statement: str, parameters: Sequence[Any] = ..., /) -> Result:
        """Run one statement."""

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> object:
        """Run one statement for each row."""

    def each(self, statement: str, parameters: Sequence[Any] = ...) -> Iterator[Any]:
        """The rows of a long answer, which is never in memory as a whole."""

    def insert(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        """Put whole rows into a table of the ledger."""

    def among(self, values: Iterable[int] | Iterable[str], kind: Kind) -> tuple[str, Any]:
        """``IN …`` as a condition says it, and the one parameter that stands for the values."""

    def together(self) -> AbstractContextManager[object]:
        """Send statements whose answers nobody waits for one behind the other."""

    def begin_writing(self) -> None:
        """Begin a transaction as the one writer; others wait, and readers do not."""

    def begin_snapshot(self) -> None:
        """Begin a transaction that only reads, and sees one instant."""

    def commit(self) -> None:
        """Make durable what was written since writing began."""

    def rollback(self) -> None:
        """Undo what was written since writing began."""

    def listen(self) -> bool:
        """Be told of what is announced from now on; ``False`` where nobody tells."""

    def heard(self, seconds: float) -> bool:
        """Wait until something was announced, or so long."""

    def announce(self, size: int) -> None:
        """Tell who follows, once the transaction is durable, how many leaves there are."""

    def overwrite(self) -> None:
        """Overwrite what this connection deletes, where the engine can."""

    def relax(self) -> None:
        """Let commits of this connection become durable with the next one of another."""

    def damaged(self) -> list[str]:
        """What the engine itself finds wrong with its file or indexes."""

    def unexamined(self) -> str | None:
        """What of that this engine cannot tell, in a sentence."""

    def tables(self) -> set[str]:
        """The names of the tables that are there."""

    def triggers(self) -> set[str]:
        """The names of the triggers in force."""

    def close(self) -> None:
        """Let go of the database."""


def is_postgresql(url: str) -> bool:
    """Whether an address is that of a PostgreSQL database."""
    return url.startswith(POSTGRESQL)


def sqlite_path(url: str) -> str:
    """The file of a ``sqlite:///FILE`` URL.

    Raises:
        WrongCallError: the URL is of another kind.
    """
    path = url.removeprefix(SQLITE)
    if path == url or not path:
        raise WrongCallError(f"{shown(url)!r} is not a ledger's address: sqlite:///FILE or postgresql://…")
    return path


def shown(url: str) -> str:
    """An address as it may be told: without a password."""
    if not is_postgresql(url):
        return url
    scheme, _, rest = _PASSWORD.sub(r"\1…", url).partition("://")
    place, at, path = rest.rpartition("@")
    return f"{scheme}://{place.partition(':')[0]}@{path}" if at else f"{scheme}://{rest}"


def open_connection(url: str, *, reading: bool = False) -> Connection:
    """Connect to a ledger; one that is opened for reading refuses to write.

    Raises:
        WrongCallError: the address is none.
        WrongLedgerError: what is there is no database of a ledger.
        StoreUnavailableError: the database server cannot be reached.
    """
    if is_postgresql(url):
        from ledger.store.engine import postgresql  # noqa: PLC0415 - only a ledger that lies there needs it

        return postgresql.connect(url, reading=reading)
    from ledger.store.engine import sqlite  # noqa: PLC0415 - it imports this module

    return sqlite.connect(sqlite_path(url), reading=reading)


@contextmanager
def writing(connection: Connection) -> Iterator[None]:
    """Write as the one writer; durable afterwards, or undone when an error leaves it."""
    connection.begin_writing()
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def rewrite(url: str) -> None:
    """Write anew what held values that were deleted, so that their bytes are gone from it.

    Raises:
        WrongLedgerError: another program has it in use, or this role may not.
    """
    if is_postgresql(url):
        from ledger.store.engine import postgresql  # noqa: PLC0415 - only a ledger that lies there needs it

        postgresql.rewrite(url)
        return
    from ledger.store.engine import sqlite  # noqa: PLC0415 - it imports this module

    sqlite.rewrite(sqlite_path(url))


def exists(url: str) -> bool:
    """Whether there is a ledger at an address, of whatever format.

    Raises:
        WrongCallError: the address is none.
        StoreUnavailableError: the database server cannot be reached.
    """
    if not is_postgresql(url):
        return Path(sqlite_path(url)).is_file()
    with closing(open_connection(url, reading=True)) as connection:
        return "meta" in connection.tables()
