"""The record as it is read: facts with their legal times, commits, and what the vault still opens."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson

from ledger.errors import NotRecordedError, ProofError
from ledger.facts.recorded import Recorded
from ledger.instants import parse_instant
from ledger.log.checkpoints import SignedCheckpoint
from ledger.log.tiles import Tree
from ledger.store.commits import Commit, to_microseconds
from ledger.store.engine import Connection, Result, open_connection, sqlite_path
from ledger.store.following import wait_for
from ledger.store.proof import each_checkpoint, each_tile, newest_checkpoint, read_tile
from ledger.store.vault import Vault
from ledger.store.writing import FIRST_VERSION, check_format, commits_of, last_commit

_PAGE = 500
_MESSAGES_REMEMBERED = 65_536


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose ledger it is, and the kind of clock it was made under."""

    origin: str
    clock: str


def _takes_its_commits_stamp(fields: dict[str, Any]) -> bool:
    return not ("mail" in fields or "history" in fields or "stamp" in fields["data"])


@dataclass(frozen=True, slots=True)
class _LegalTime:
    at: datetime
    not_after: datetime
    clock: str


class Record:
    """Reads a ledger; safe to share between threads (each gets a connection of its own)."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._local = threading.local()
        self._message_time = lru_cache(_MESSAGES_REMEMBERED)(self._read_message_time)
        check_format(self._connection)

    @property
    def path(self) -> str:
        """The ledger's file, of one that is a file.

        Raises:
            WrongCallError: it lies in PostgreSQL.
        """
        return sqlite_path(self.url)

    @property
    def _connection(self) -> Connection:
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None or connection.broken:
            connection = self._local.connection = open_connection(self.url, reading=True)
        return connection

    def close(self) -> None:
        """Close this thread's connection; those of other threads close with their threads."""
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            del self._local.connection

    @property
    def identity(self) -> Identity:
        """The ledger's origin and clock.

        Raises:
            NotRecordedError: the ledger has been made, but nothing was ever recorded in it.
        """
        meta = dict(self._connection.execute("SELECT key, value FROM meta").fetchall())
        if "origin" not in meta:
            raise NotRecordedError("the ledger is empty: it has no origin yet")
        return Identity(meta["origin"], meta["clock"])

    def size(self) -> int:
        """The number of leaves, stamps included."""
        last = last_commit(self._connection)
        return last.size if last else 0

    def latest(self) -> Commit | None:
        """The newest commit, or ``None`` before the first."""
        return last_commit(self._connection)

    def commits(self, start: int = 0) -> Iterator[Commit]:
        """Commits whose stamp leaf lies at ``start`` or later, in order."""
        return commits_of(self._connection, "WHERE position >= ? ORDER BY position", start, many=True)

    def commit_of(self, position: int) -> Commit:
        """The commit that a leaf belongs to.

        Raises:
            NotRecordedError: there is no leaf at that position.
        """
        for commit in commits_of(
            self._connection, "WHERE position <= ? ORDER BY position DESC LIMIT 1", position
        ):
            if position < commit.size:
                return commit
        raise NotRecordedError(f"there is no leaf at position {position}")

    def position_known_at(self, instant: datetime) -> int:
        """The size of the log before the first commit, by position, stamped after ``instant``."""
        row = self._connection.execute(
            "SELECT position FROM commits WHERE latest > ? ORDER BY latest, position LIMIT 1",
            (to_microseconds(instant),),
        ).fetchone()
        return row[0] if row else self.size()

    def scan(self, start: int, limit: int) -> list[tuple[int, str, int, str, bytes]]:
        """Leaves at ``start`` and after: position, subject, version, type, and the stored bytes."""
        return self._connection.execute(
            "SELECT l.position, s.name, l.version, t.name, l.state FROM leaf l"
            " JOIN subject s ON s.id = l.subject JOIN topic t ON t.id = l.topic"
            " WHERE l.position >= ? ORDER BY l.position LIMIT ?",
            (start, limit),
        ).fetchall()

    def facts(self, start: int, limit: int) -> list[Recorded]:
        """The facts among the ``limit`` leaves from ``start`` on, in order of position."""
        rows = self._connection.execute(
            "SELECT position, version, state FROM leaf"
            " WHERE position >= ? AND position < ? ORDER BY position",
            (start, start + limit),
        ).fetchall()
        return self._recorded(rows)

    def each_at(self, positions: Sequence[int]) -> Iterator[Recorded]:
        """The facts at these ascending positions, one after the other: one leaf is in memory at a time."""
        for first in range(0, len(positions), _PAGE):
            page = positions[first : first + _PAGE]
            yield from self._each_recorded(self._leaves_at(page))

    def facts_at(self, positions: Sequence[int]) -> list[Recorded]:
        """The facts at these positions, in the order given."""
        found: dict[int, Recorded] = {}
        for first in range(0, len(positions), _PAGE):
            page = sorted(positions[first : first + _PAGE])
            found.update({fact.position: fact for fact in self._recorded(self._leaves_at(page).fetchall())})
        return [found[position] for position in positions]

    def history(self, subject: str) -> list[Recorded]:
        """Every fact of a subject, oldest first."""
        rows = self._connection.execute(
            "SELECT position, version, state FROM leaf"
            " WHERE subject = (SELECT id FROM subject WHERE name = ?) ORDER BY version",
            (subject,),
        ).fetchall()
        return self._recorded(rows)

    def accounts(self) -> list[str]:
        """Every account that was ever opened, by name."""
        rows = self._connection.execute(
            "SELECT DISTINCT s.name FROM leaf l JOIN subject s ON s.id = l.subject"
            " JOIN topic t ON t.id = l.topic WHERE t.name = 'account.opened' AND l.version = ?"
            " ORDER BY s.name",
            (FIRST_VERSION,),
        )
        return [name for (name,) in rows]

    def unseal(self, commitments: Iterable[str]) -> dict[str, str]:
        """The clear values behind commitments, of those that the vault still has."""
        return Vault(self._connection).open(commitments)

    def disclose(self, commitments: Iterable[str]) -> dict[str, tuple[bytes, str]]:
        """Opening and clear value behind each commitment, of those that the vault still has."""
        return Vault(self._connection).disclose(commitments)

    def positions_of(self, account: str) -> list[int]:
        """The position of every fact of an account's own subjects, ascending."""
        rows = self._connection.execute(
            "SELECT l.position FROM leaf l JOIN subject s ON s.id = l.subject"
            " WHERE s.name = ? OR (s.name > ? AND s.name < ?) ORDER BY l.position",
            (account, f"{account}/", f"{account}0"),
        )
        return [position for (position,) in rows]

    def message(self, sha256: str) -> bytes | None:
        """The raw bytes of a mail, if the vault still has them."""
        return Vault(self._connection).mail(sha256)

    def tree(self) -> Tree:
        """The tree of the log, of any size up to now; it reads what is there as it is asked."""
        return Tree(self.tile)

    def tile(self, level: int, number: int) -> bytes:
        """The hashes of a tile, joined; of a partial one what there is now."""
        return read_tile(self._connection, level, number)

    def tiles(self) -> Iterator[tuple[int, int, bytes]]:
        """Every full tile that is kept: level, number, hashes."""
        return each_tile(self._connection)

    def signed(self) -> SignedCheckpoint | None:
        """The newest checkpoint that was signed, or ``None`` before the first."""
        return newest_checkpoint(self._connection)

    def checkpoints(self) -> Iterator[tuple[int, SignedCheckpoint | ProofError]]:
        """Every signed checkpoint that is kept, by size; an unreadable one as the error that says why."""
        return each_checkpoint(self._connection)

    def wait(self, size: int, seconds: float) -> int:
        """Wait until there are more than ``size`` leaves, or so long; gives how many there are."""
        return wait_for(self.url, self.size, size, seconds)

    def _leaves_at(self, positions: Sequence[int]) -> Result:
        among, listed = self._connection.among(positions, "bigint")
        return self._connection.execute(
            f"SELECT position, version, state FROM leaf WHERE position {among} ORDER BY position",  # noqa: S608
            (listed,),
        )

    def _recorded(self, rows: Iterable[tuple[int, int, bytes]]) -> list[Recorded]:
        return list(self._each_recorded(rows))

    def _each_recorded(self, rows: Iterable[tuple[int, int, bytes]]) -> Iterator[Recorded]:
        """Give each fact its legal time; ``rows`` are in order of position, stamps are left out."""
        first, size, stamped_at, plain = -1, -1, None, None
        for position, version, leaf in rows:
            if position >= size or stamped_at is None:
                commit = self.commit_of(position)
                first, size, stamped_at = commit.position, commit.size, commit.stamped_at
                plain = _LegalTime(stamped_at, stamped_at, commit.server)
            if position == first:
                continue
            fields = orjson.loads(leaf)
            legal = plain if _takes_its_commits_stamp(fields) else self._legal_time(fields, commit)
            assert legal is not None  # noqa: S101 - a commit was read
            fact = Recorded(position, version, legal.at, legal.not_after, stamped_at, legal.clock, leaf)
            fact.__dict__["fields"] = fields  # parsed once: the cached property finds it there
            yield fact

    def _legal_time(self, fields: dict[str, Any], commit: Commit) -> _LegalTime:
        """``proof.md``: the mail's stamp, the message's own, the asserted time, or the commit's stamp."""
        if "mail" in fields:
            return self._message_time(fields["mail"])
        own_stamp = fields["data"].get("stamp")
        if own_stamp is not None and fields["type"] in ("mail.received", "notification.sent"):
            stamped = parse_instant(own_stamp["time"])
            bound = own_stamp.get("not_after")
            not_after = parse_instant(bound) if bound else max(stamped, commit.stamped_at)
            return _LegalTime(stamped, not_after, own_stamp["server"])
        if fields.get("history"):
            asserted = parse_instant(fields["time"])
            return _LegalTime(asserted, asserted, "asserted")
        return _LegalTime(commit.stamped_at, commit.stamped_at, commit.server)

    def _read_message_time(self, subject: str) -> _LegalTime:
        row = self._connection.execute(
            "SELECT position, state FROM leaf"
            " WHERE subject = (SELECT id FROM subject WHERE name = ?) AND version = ?",
            (subject, FIRST_VERSION),
        ).fetchone()
        if row is None:
            raise NotRecordedError(f"the message {subject} is not in the record")
        return self._legal_time(orjson.loads(row[1]), self.commit_of(row[0]))
