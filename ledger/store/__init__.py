"""The store: persistence modules for ``eventsourcing`` (SQLite, PostgreSQL), the vault, and the read side."""

from __future__ import annotations

from ledger.errors import NotRecordedError
from ledger.store.engine import exists, is_postgresql, shown, sqlite_path
from ledger.store.reader import Identity, Record

__all__ = ["Identity", "Record", "exists", "is_postgresql", "open_record", "shown", "sqlite_path"]


def open_record(url: str) -> Record:
    """Open a ledger to read: ``sqlite:///FILE`` or ``postgresql://…``.

    Raises:
        NotRecordedError: there is no ledger at that address.
        WrongLedgerError: what is there is not a ledger of this format.
        WrongCallError: the address is not one.
        StoreUnavailableError: the database server cannot be reached.
    """
    if not exists(url):
        raise NotRecordedError(f"there is no ledger at {shown(url)}")
    return Record(url)
