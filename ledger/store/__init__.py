"""The store: a persistence module for ``eventsourcing``, the vault, and the read side."""

from __future__ import annotations

from pathlib import Path

from ledger.errors import NotRecordedError, WrongCallError
from ledger.store.reader import Identity, Record

SQLITE = "sqlite:///"

__all__ = ["Identity", "Record", "open_record", "sqlite_path"]


def sqlite_path(url: str) -> str:
    """The file of a ``sqlite:///FILE`` URL.

    Raises:
        WrongCallError: the URL is of another kind.
    """
    path = url.removeprefix(SQLITE)
    if path == url or not path:
        raise WrongCallError(f"{url!r} is not a ledger's address: sqlite:///FILE")
    return path


def open_record(url: str) -> Record:
    """Open a ledger to read.

    Raises:
        NotRecordedError: there is no ledger at that address.
        WrongLedgerError: what is there is not a ledger of this format.
        WrongCallError: the address is not one.
    """
    path = sqlite_path(url)
    if not Path(path).is_file():
        raise NotRecordedError(f"there is no ledger at {url}")
    return Record(url, path)
