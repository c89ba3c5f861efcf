"""Which persistence module keeps the ledger at an address."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from eventsourcing.utils import Environment

from ledger.errors import WrongLedgerError
from ledger.store import sqlite
from ledger.store.engine import Connection, is_postgresql, shown, sqlite_path
from ledger.store.writing import Writing


class LedgerRecorder(Protocol):
    """What a recorder of facts asks of either persistence module."""

    def writing(self) -> AbstractContextManager[Writing]:
        """The log under the writer's lock."""

    def writing_connection(self) -> AbstractContextManager[Connection]:
        """A connection under the writer's lock."""

    def close(self) -> None:
        """Let go of the database."""


def persistence_at(url: str) -> LedgerRecorder:
    """Open the log at an address to write; a new one is made.

    Raises:
        WrongCallError: the address is none.
        WrongLedgerError: what is there is no ledger of this format.
        StoreUnavailableError: the database server cannot be reached.
    """
    if is_postgresql(url):
        from ledger.store import postgresql  # noqa: PLC0415 - only a ledger that lies there needs the driver

        return postgresql.Factory(Environment("GREFFE", {postgresql.DB: url})).application_recorder()
    factory = sqlite.Factory(Environment("GREFFE", {"SQLITE_DBNAME": sqlite_path(url)}))
    return factory.application_recorder()


def hold_alone(url: str) -> Callable[[], None]:
    """Hold a ledger for one process while the embedded server dates it; gives what lets it go.

    Raises:
        WrongLedgerError: another process dates this ledger with an embedded server.
    """
    refusal = WrongLedgerError(
        f"another process records in {shown(url)} under an embedded mail server, which serves one process"
        " only: send facts to that one, or use smtp://HOST:PORT"
    )
    if is_postgresql(url):
        from ledger.store.engine import postgresql  # noqa: PLC0415 - as above

        connection = postgresql.connect(url)
        if not connection.hold_alone():
            connection.close()
            raise refusal
        return connection.close
    descriptor = os.open(f"{sqlite_path(url)}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise refusal from error
    return lambda: os.close(descriptor)
