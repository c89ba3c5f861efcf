"""Follows the log exactly once: an ordered index of the facts that each projection rests on.

The index lies in a database of its own beside the log (``FILE.views``), so that following never waits
for the recorder, and the whole of it can be thrown away and built again. It holds no fact: a row says
whose it is, when it counts (legal time), and at which position its leaf lies, so the leaf stays the only
copy. Rows and the position they reach are written in one transaction, and the position is read inside it:
a crash repeats or loses nothing, and several processes may follow at once.
"""

from __future__ import annotations

import hashlib
import heapq
import os
import sqlite3
import tempfile
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice, pairwise
from pathlib import Path

import orjson

from ledger.errors import WrongCallError
from ledger.facts.catalogue import COMMON, account_of
from ledger.facts.recorded import Recorded
from ledger.log.merkle import leaf_hash
from ledger.store import Record
from ledger.store.commits import to_microseconds
from projections.differences import Discrepancy, Row, differences
from projections.question import Projection

FORMAT = 1
"""The version of the index: rows of another version are thrown away and made again."""

BATCH_LEAVES = 2_000
"""How many leaves one transaction follows at the most."""

PAGE_POSITIONS = 500
"""How many positions a question takes from the index at once."""

FACTS_IN_MEMORY = 20
"""How many facts are parsed at once: a leaf may have 64 KiB, and many times that once it is parsed."""

_LOCK_TIMEOUT_SECONDS = 60
_MAIL = "mail/"

_SCHEMA = """
-- names of accounts, of mails that belong to none, of types and of clocks
CREATE TABLE IF NOT EXISTS name (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
-- position: the number of leaves followed, anchor: the hash of the last of them
CREATE TABLE IF NOT EXISTS followed (projection INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
  rests_on TEXT NOT NULL, position INTEGER NOT NULL, anchor BLOB NOT NULL);
-- owner: an account, '' for facts of none, or the mail itself for mail/ID, legal_time: µs since 1970
CREATE TABLE IF NOT EXISTS entry (projection INTEGER NOT NULL, owner INTEGER NOT NULL,
  legal_time INTEGER NOT NULL, position INTEGER NOT NULL, type INTEGER NOT NULL, clock INTEGER NOT NULL,
  PRIMARY KEY (projection, owner, legal_time, position)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS attribution (projection INTEGER NOT NULL, mail INTEGER NOT NULL,
  legal_time INTEGER NOT NULL, position INTEGER NOT NULL, account INTEGER NOT NULL,
  PRIMARY KEY (projection, mail, legal_time, position)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS attribution_account ON attribution (projection, account);
"""

_ROWS = (
    "SELECT o.name, e.legal_time, e.position, t.name, c.name FROM entry e"
    " JOIN name o ON o.id = e.owner JOIN name t ON t.id = e.type JOIN name c ON c.id = e.clock"
    " WHERE e.projection = ? AND e.position < ? UNION ALL"
    " SELECT m.name, a.legal_time, a.position, 'attributed to', n.name FROM attribution a"
    " JOIN name m ON m.id = a.mail JOIN name n ON n.id = a.account"
    " WHERE a.projection = ? AND a.position < ? ORDER BY 3, 4, 1, 2, 5"
)
"""Every row of a view in words, in order of position: (owner, legal time, position, type, clock)."""

_ATTRIBUTED = "mail.attributed"


def _is_whose(fact: Recorded, account: str) -> bool:
    """Whether a fact belongs in an account's history: an attribution does in that of its own account."""
    return fact.type != _ATTRIBUTED or fact.fields["data"]["account"] == account


Place = tuple[int, int]
"""Where a fact stands in a view: its legal time in µs since 1970, and its position."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which facts a question sees: of one account, with legal time ≤ ``as_of``, below ``end`` in the log."""

    account: str
    as_of: datetime
    end: int


@dataclass(frozen=True, slots=True)
class _Followed:
    number: int
    name: str
    position: int
    anchor: bytes


class Follower:
    """Keeps the views of a ledger; share one between the threads of a process.

    ``path`` is the index's own file, ``FILE.views`` beside the log unless another is named.
    """

    def __init__(
        self, record: Record, projections: Mapping[str, Projection], *, path: str | None = None
    ) -> None:
        self._record = record
        self._projections = dict(projections)
        self._path = path or f"{record.path}.views"
        self._local = threading.local()
        self._following = threading.Lock()
        self._enrol()

    @property
    def position(self) -> int:
        """How many leaves every view has followed."""
        return min((view.position for view in self._views()), default=0)

    def close(self) -> None:
        """Close this thread's connection; those of other threads close with their threads."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            del self._local.connection

    def catch_up(self, size: int | None = None) -> int:
        """Follow until every view has the first ``size`` leaves (all there are, when left out)."""
        wanted = self._record.size() if size is None else size
        while self._behind(wanted):
            with self._following, self._writing() as connection:
                self._advance(connection, wanted)
        return wanted

    def rebuild(self, name: str) -> None:
        """Throw one view away and build it again from the log.

        Raises:
            WrongCallError: there is no such projection.
        """
        self._known(name)
        with self._following, self._writing() as connection:
            for view in self._views():
                if view.name == name:
                    _forget(connection, view.number)
        self.catch_up()

    def compare(self) -> list[Discrepancy]:
        """Build every view again in a scratch database, and name each row that differs."""
        size = self.catch_up()
        with tempfile.TemporaryDirectory(prefix="greffe-views-") as folder:
            scratch = Follower(self._record, self._projections, path=str(Path(folder) / "scratch.views"))
            try:
                scratch.catch_up(size)
                return [
                    found
                    for name in self._projections
                    for found in differences(name, self.rows(name, size), scratch.rows(name, size))
                ]
            finally:
                scratch.close()

    def digest(self, name: str) -> str:
        """SHA-256 over every row of a view, in hexadecimal: equal for views that are equal."""
        total = hashlib.sha256()
        for row in self.rows(name, self.position):
            total.update(orjson.dumps(row))
            total.update(b"\n")
        return total.hexdigest()

    def rows(self, name: str, size: int) -> Iterator[Row]:
        """Every row of a view that lies below ``size``, in order of position."""
        number = self._number(name)
        yield from self._connection.execute(_ROWS, (number, size, number, size))

    def accounts(self) -> list[str]:
        """Every account of which a view holds a fact, by name."""
        found = self._connection.execute(
            "SELECT n.name FROM name n WHERE EXISTS (SELECT 1 FROM followed f JOIN entry e"
            " ON e.projection = f.projection AND e.owner = n.id) ORDER BY n.name"
        )
        return [name for (name,) in found if name and account_of(name) == name]

    def owner_of(self, mail: str, scope_end: int) -> str:
        """The account that a mail of no account is attributed to below a position, or ``COMMON``."""
        row = self._connection.execute(
            "SELECT n.name FROM attribution a JOIN name m ON m.id = a.mail JOIN name n ON n.id = a.account"
            " WHERE m.name = ? AND a.position < ? ORDER BY a.position DESC LIMIT 1",
            (mail, scope_end),
        ).fetchone()
        return row[0] if row else COMMON

    @contextmanager
    def facts(
        self,
        name: str,
        scope: Scope,
        *,
        without: str = "",
        but: Collection[int] = (),
        since: datetime | None = None,
        common_first: bool = False,
    ) -> Iterator[Iterator[Recorded]]:
        """The facts that a projection is asked about, in order of legal time, then position, read once.

        ``since`` leaves out those whose legal time is earlier; ``common_first`` puts those that belong to
        no account before the others.

        Facts of the type ``without`` are left unread, except at the positions ``but``. The view must
        have followed up to ``scope.end``.
        """
        connection = self._begin_reading(name, scope.end)
        try:
            places = self._places(name, scope, without, frozenset(but), since, common_first=common_first)
            found = self._read(places)
            if _ATTRIBUTED in self._projections[name].types:
                found = (fact for fact in found if _is_whose(fact, scope.account))
            yield found
        finally:
            connection.execute("ROLLBACK")

    def positions(
        self,
        name: str,
        scope: Scope,
        kind: str,
        *,
        start: tuple[datetime, int] | None = None,
        count: int,
    ) -> list[int]:
        """Where the first ``count`` facts of a type lie, in order, from a legal time and position on."""
        first = (-(2**62), 0) if start is None else (to_microseconds(start[0]), start[1])
        connection = self._begin_reading(name, scope.end)
        try:
            found = connection.execute(
                "SELECT position FROM entry WHERE projection = ? AND owner = ? AND type = ?"
                " AND (legal_time, position) >= (?, ?) AND legal_time <= ? AND position < ?"
                " ORDER BY legal_time, position LIMIT ?",
                (
                    self._number(name),
                    self._id(scope.account),
                    self._id(kind),
                    *first,
                    to_microseconds(scope.as_of),
                    scope.end,
                    count,
                ),
            ).fetchall()
        finally:
            connection.execute("ROLLBACK")
        return [position for (position,) in found]

    def _begin_reading(self, name: str, end: int) -> sqlite3.Connection:
        """A read transaction that sees the view whole up to ``end``, also while others rebuild it."""
        connection, number = self._connection, self._number(name)
        while True:
            self.catch_up(end)
            connection.execute("BEGIN")
            (position,) = connection.execute(
                "SELECT position FROM followed WHERE projection = ?", (number,)
            ).fetchone()
            if position >= end:
                return connection
            connection.execute("ROLLBACK")

    def _read(self, places: Iterator[Place]) -> Iterator[Recorded]:
        while page := [position for _, position in islice(places, PAGE_POSITIONS)]:
            yield from self._in_order(page)

    def _in_order(self, page: list[int]) -> Iterator[Recorded]:
        """The facts of a page as it lists them; few at a time where that is not the order of the log."""
        if all(before < after for before, after in pairwise(page)):
            yield from self._record.each_at(page)
            return
        for first in range(0, len(page), FACTS_IN_MEMORY):
            yield from self._record.facts_at(page[first : first + FACTS_IN_MEMORY])

    def _places(
        self,
        name: str,
        scope: Scope,
        without: str,
        but: frozenset[int],
        since: datetime | None,
        *,
        common_first: bool,
    ) -> Iterator[Place]:
        """Where the facts of the account, of no account, and of the mails that are the account's lie."""
        number, until = self._number(name), to_microseconds(scope.as_of)
        times = (-(2**62) if since is None else to_microseconds(since), until)
        unread = self._id(without)
        account, common = (
            self._stream(number, f"= {owner}", times, scope.end, unread, but)
            for owner in (self._id(scope.account), self._id(COMMON))
        )
        mails = self._stream(number, self._mails(number, scope, until), times, scope.end, unread, but)
        if common_first:
            return chain(common, heapq.merge(account, mails))
        return heapq.merge(account, common, mails)

    def _stream(
        self,
        number: int,
        owner: str,
        times: tuple[int, int],
        end: int,
        unread: int,
        but: frozenset[int],
    ) -> Iterator[Place]:
        found = self._connection.execute(
            f"SELECT legal_time, position, type FROM entry WHERE projection = ? AND owner {owner}"  # noqa: S608 - integers
            " AND legal_time BETWEEN ? AND ? AND position < ? ORDER BY legal_time, position",
            (number, *times, end),
        )
        for legal_time, position, kind in found:
            if kind != unread or position in but:
                yield legal_time, position

    def _mails(self, number: int, scope: Scope, until: int) -> str:
        """The mails of no account whose last attribution in scope is to the account, as a condition."""
        bounds = f"legal_time <= {until} AND {{0}}.position < {int(scope.end)}"
        return (
            f"IN (SELECT a.mail FROM attribution a WHERE a.projection = {number}"  # noqa: S608 - integers
            f" AND a.account = {self._id(scope.account)} AND a.{bounds.format('a')} AND NOT EXISTS"
            f" (SELECT 1 FROM attribution b WHERE b.projection = {number} AND b.mail = a.mail"
            f" AND b.{bounds.format('b')}"
            " AND (b.legal_time, b.position) > (a.legal_time, a.position) AND b.account <> a.account))"
        )

    @property
    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = _connect(self._path)
        return connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def _enrol(self) -> None:
        """Make the index when it is new, enter new projections, and start changed ones again."""
        with self._writing() as connection:
            if connection.execute("PRAGMA user_version").fetchone()[0] != FORMAT:
                for (table,) in connection.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
                ).fetchall():
                    connection.execute(f'DROP TABLE "{table}"')
                connection.execute(f"PRAGMA user_version={FORMAT}")
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            for name, projection in self._projections.items():
                self._enter(connection, name, " ".join(sorted(projection.types)))

    @staticmethod
    def _enter(connection: sqlite3.Connection, name: str, rests_on: str) -> None:
        known = connection.execute(
            "SELECT projection, rests_on FROM followed WHERE name = ?", (name,)
        ).fetchone()
        if known is None:
            connection.execute(
                "INSERT INTO followed (name, rests_on, position, anchor) VALUES (?, ?, 0, x'')",
                (name, rests_on),
            )
        elif known[1] != rests_on:
            _forget(connection, known[0])
            connection.execute("UPDATE followed SET rests_on = ? WHERE projection = ?", (rests_on, known[0]))

    def _views(self) -> list[_Followed]:
        rows = self._connection.execute("SELECT projection, name, position, anchor FROM followed")
        return [_Followed(*row) for row in rows if row[1] in self._projections]

    def _behind(self, wanted: int) -> bool:
        reached = {(view.position, view.anchor) for view in self._views()}
        return any(position < wanted or not self._fits(position, anchor) for position, anchor in reached)

    def _fits(self, position: int, anchor: bytes) -> bool:
        """Whether the last leaf that was followed is the log's own (it is not after a restored backup)."""
        if position == 0:
            return True
        leaves = self._record.scan(position - 1, 1)
        return bool(leaves) and leaf_hash(leaves[0][4]) == anchor

    def _advance(self, connection: sqlite3.Connection, wanted: int) -> None:
        """Follow one batch with the views that are furthest behind."""
        for view in self._views():
            if not self._fits(view.position, view.anchor):
                _forget(connection, view.number)
        views = self._views()
        start = min(view.position for view in views)
        if start >= wanted:
            return
        last = [view for view in views if view.position == start]
        stop = min(
            [wanted, start + BATCH_LEAVES, *(view.position for view in views if view.position > start)]
        )
        numbers: dict[str, int] = {}
        following = [(view.number, self._projections[view.name].types) for view in last]
        for first in range(start, stop, FACTS_IN_MEMORY):
            for fact in self._record.facts(first, min(FACTS_IN_MEMORY, stop - first)):
                self._enter_fact(connection, fact, following, numbers)
        anchor = leaf_hash(self._record.scan(stop - 1, 1)[0][4])
        connection.executemany(
            "UPDATE followed SET position = ?, anchor = ? WHERE projection = ?",
            [(stop, anchor, view.number) for view in last],
        )

    def _enter_fact(
        self,
        connection: sqlite3.Connection,
        fact: Recorded,
        following: list[tuple[int, frozenset[str]]],
        numbers: dict[str, int],
    ) -> None:
        owner = fact.subject if fact.subject.startswith(_MAIL) else fact.account
        legal_time = to_microseconds(fact.legal_time)
        row = (
            self._interned(connection, owner, numbers),
            legal_time,
            fact.position,
            self._interned(connection, fact.type, numbers),
            self._interned(connection, fact.clock, numbers),
        )
        connection.executemany(
            "INSERT INTO entry VALUES (?,?,?,?,?,?)",
            [(number, *row) for number, types in following if fact.type in types],
        )
        if fact.type == "mail.attributed":
            account = self._interned(connection, fact.fields["data"]["account"], numbers)
            connection.executemany(
                "INSERT INTO attribution VALUES (?,?,?,?,?)",
                [(number, row[0], legal_time, fact.position, account) for number, _ in following],
            )

    def _interned(self, connection: sqlite3.Connection, name: str, numbers: dict[str, int]) -> int:
        """The number of a name, given to it now if it has none; ``numbers`` are of this transaction."""
        number = numbers.get(name) or self._id(name)
        if number < 0:
            number = int(connection.execute("INSERT INTO name (name) VALUES (?)", (name,)).lastrowid or 0)
        numbers[name] = number
        return number

    def _id(self, name: str) -> int:
        """The number of a name, or -1 when no row bears it."""
        row = self._connection.execute("SELECT id FROM name WHERE name = ?", (name,)).fetchone()
        return row[0] if row else -1

    def _number(self, name: str) -> int:
        self._known(name)
        (number,) = self._connection.execute(
            "SELECT projection FROM followed WHERE name = ?", (name,)
        ).fetchone()
        return int(number)

    def _known(self, name: str) -> None:
        if name not in self._projections:
            raise WrongCallError(
                f"there is no projection {name!r}; there are: {', '.join(self._projections)}"
            )


def _connect(path: str) -> sqlite3.Connection:
    if not Path(path).exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    connection = sqlite3.connect(
        path, timeout=_LOCK_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")  # a view that power loss sets back follows again
    return connection


def _forget(connection: sqlite3.Connection, number: int) -> None:
    """Empty a view and start it again at the first leaf."""
    connection.execute("DELETE FROM entry WHERE projection = ?", (number,))
    connection.execute("DELETE FROM attribution WHERE projection = ?", (number,))
    connection.execute("UPDATE followed SET position = 0, anchor = x'' WHERE projection = ?", (number,))
