"""A ledger copied to another engine, row for row: leaves, roots, tiles, checkpoints and the vault.

All of it is one transaction of the target, which is refused unless it is empty. Every leaf is hashed on its
way and every root compared; then each table is read again from the target and compared with the source.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ledger.errors import NotRecordedError, WrongLedgerError
from ledger.log.merkle import Frontier, leaf_hash
from ledger.store import schema
from ledger.store.engine import Connection, exists, open_connection, shown
from ledger.store.persistence import persistence_at
from ledger.store.writing import check_format, commits_of, last_commit

_ROWS_AT_ONCE = 2_000
_OF_THE_ENGINE = ("format", "schema")
"""What ``meta`` says of the tables themselves, which the target has its own of."""

Progress = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied, and how many leaves the source has got since."""

    leaves: int
    root: bytes
    rows: dict[str, int]
    since: int


def copy(source: str, target: str, progress: Progress | None = None) -> Copied:
    """Copy the ledger at ``source``, as it is now, to ``target``, where there is none.

    Raises:
        NotRecordedError: there is no ledger at ``source``.
        WrongLedgerError: something is recorded at ``target`` already, or the source is damaged.
    """
    if not exists(source):
        raise NotRecordedError(f"there is no ledger at {shown(source)}")
    with closing(open_connection(source, reading=True)) as from_, closing(persistence_at(target)) as log:
        from_.begin_snapshot()
        check_format(from_)
        root = _checked(from_)
        with log.writing_connection() as to:
            _refuse_unless_empty(to, target)
            rows = {table: _copied(from_, to, table, progress) for table in schema.COLUMNS}
        last = last_commit(from_)
    size = last.size if last else 0
    with closing(open_connection(source, reading=True)) as now:
        grown = last_commit(now)
    return Copied(size, root, rows, (grown.size if grown else 0) - size)


def _checked(connection: Connection) -> bytes:
    """The root over all leaves, after every commit's own was compared."""
    frontier, leaves = Frontier(), connection.each("SELECT state FROM leaf ORDER BY position")
    for commit in commits_of(connection, "ORDER BY position", many=True):
        frontier.extend([leaf_hash(state) for (state,) in islice(leaves, commit.count + 1)])
        if (frontier.size, frontier.root()) != (commit.size, commit.root):
            raise WrongLedgerError(
                f"the leaves up to {commit.size} do not have the root of their commit: audit the ledger first"
            )
    if next(iter(leaves), None) is not None:
        raise WrongLedgerError("there are leaves after the last commit: audit the ledger first")
    return frontier.root()


def _refuse_unless_empty(connection: Connection, url: str) -> None:
    for table in schema.COLUMNS:
        if next(iter(_rows(connection, table)), None) is not None:
            raise WrongLedgerError(f"{shown(url)} is not empty: it has rows in the table {table}")


def _rows(connection: Connection, table: str) -> Iterator[tuple[Any, ...]]:
    """The rows of a table by their first two columns, which its key consists of, alike on every engine."""
    for row in connection.each(f"SELECT * FROM {table} ORDER BY 1, 2"):  # noqa: S608 - our tables
        if table != "meta" or row[0] not in _OF_THE_ENGINE:
            yield tuple(int(value) if isinstance(value, bool) else value for value in row)


def _copied(source: Connection, target: Connection, table: str, progress: Progress | None) -> int:
    wanted, count, rows = hashlib.sha256(), 0, _rows(source, table)
    while batch := list(islice(rows, _ROWS_AT_ONCE)):
        _digest(wanted, batch)
        target.insert(table, batch)
        count += len(batch)
        if progress:
            progress(table, count)
    found, copied = hashlib.sha256(), _rows(target, table)
    while batch := list(islice(copied, _ROWS_AT_ONCE)):
        _digest(found, batch)
    if wanted.digest() != found.digest():
        raise WrongLedgerError(f"the table {table} reads otherwise than it was written: nothing was copied")
    return count


def _digest(total: Any, rows: Sequence[tuple[Any, ...]]) -> None:  # noqa: ANN401 - hashlib names no type
    total.update(repr(rows).encode("utf-8", "surrogateescape"))
