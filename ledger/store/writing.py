"""The log under the writer's lock, on either engine: look-ups, appending, and the format of a ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

from ledger.errors import WrongLedgerError
from ledger.store import schema
from ledger.store.commits import Commit, from_microseconds, to_microseconds
from ledger.store.engine import Connection
from ledger.store.proof import extended, follow_log
from ledger.store.vault import Vault

FIRST_VERSION = 1


def last_commit(connection: Connection) -> Commit | None:
    """The newest commit, or ``None`` before the first."""
    for commit in commits_of(connection, "ORDER BY position DESC LIMIT 1"):
        return commit
    return None


def commits_of(connection: Connection, clause: str, *parameters: int, many: bool = False) -> Iterator[Commit]:
    """Commits that a WHERE/ORDER clause (written by this package, never by a caller) selects."""
    ask = connection.each if many else connection.execute
    rows = ask(
        f"SELECT position, count, root, frontier, stamped, server, queue_id FROM commits {clause}",  # noqa: S608
        parameters,
    )
    for position, count, root, frontier, stamped, server, queue_id in rows:
        yield Commit(position, count, root, frontier, from_microseconds(stamped), server, queue_id)


class Leaf(NamedTuple):
    """A leaf on its way into the log; ``key`` is the ``identity_key`` of a fact, ``None`` of a stamp."""

    subject: str
    version: int
    topic: str
    state: bytes
    hashed: bytes
    key: int | None


class Writing:
    """The log under the writer's lock: what a recorder may look up and append before it commits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.vault = Vault(connection)
        self.last = last_commit(connection)
        self.size = self.last.size if self.last else 0
        self._latest = self._latest_stamp()
        self._numbers: dict[str, int | None] = {}

    def positions_of(self, keys: Iterable[int]) -> dict[int, list[int]]:
        """Positions of the facts that bear a ``identity_key``, of those keys that were seen."""
        found: dict[int, list[int]] = {}
        among, listed = self._connection.among(keys, "bigint")
        for key, position in self._connection.execute(
            f"SELECT key, position FROM seen WHERE key {among} ORDER BY position",  # noqa: S608 - no value
            (listed,),
        ):
            found.setdefault(key, []).append(position)
        return found

    def leaf(self, position: int) -> bytes:
        """The bytes of a leaf that exists."""
        (state,) = self._connection.execute(
            "SELECT state FROM leaf WHERE position = ?", (position,)
        ).fetchone()
        leaf: bytes = state
        return leaf

    def versions_of(self, subjects: Iterable[str]) -> dict[str, int]:
        """The version of the last leaf of each subject, 0 when it has none."""
        versions = dict.fromkeys(subjects, 0)
        names = {number: name for name, number in self._subjects(versions).items() if number is not None}
        among, listed = self._connection.among(names, "bigint")
        for number, version in self._connection.execute(
            f"SELECT subject, MAX(version) FROM leaf WHERE subject {among} GROUP BY subject",  # noqa: S608
            (listed,),
        ):
            versions[names[number]] = version
        return versions

    def stream(self, subject: str) -> list[tuple[int, int, bytes]]:
        """Position, version and bytes of every leaf of a subject, oldest first."""
        return self._connection.execute(
            "SELECT position, version, state FROM leaf"
            " WHERE subject = (SELECT id FROM subject WHERE name = ?) ORDER BY version",
            (subject,),
        ).fetchall()

    def has_commit(self, queue_id: str) -> bool:
        """Whether a commit bears this queue id."""
        row = self._connection.execute("SELECT 1 FROM commits WHERE queue_id = ?", (queue_id,)).fetchone()
        return row is not None

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what is written inside when it is left by an error."""
        self._connection.execute("SAVEPOINT request")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK TO request")
            raise
        finally:
            self._connection.execute("RELEASE request")

    def append(self, leaves: Sequence[Leaf], stamped_at: datetime, server: str, queue_id: str) -> Commit:
        """Append the leaves of a commit, the stamp's first, and the row that dates them."""
        subjects = self._interned("subject", self._subjects({leaf[0] for leaf in leaves}))
        topic_names = {leaf[2] for leaf in leaves}
        known_topics = dict.fromkeys(topic_names) | _numbers_of(self._connection, "topic", topic_names)
        topics = self._interned("topic", known_topics)
        keys = [(leaf[5], position) for position, leaf in enumerate(leaves, self.size) if leaf[5] is not None]
        rows = [
            (position, subjects[subject], version, topics[topic], state)
            for position, (subject, version, topic, state, _, _) in enumerate(leaves, self.size)
        ]
        edge = extended(self._connection, [leaf[4] for leaf in leaves])
        frontier = edge.frontier
        commit = Commit(
            self.size,
            len(leaves) - 1,
            frontier.root(),
            frontier.to_bytes(),
            stamped_at,
            server,
            queue_id,
        )
        stamped = to_microseconds(stamped_at)
        with self._connection.together():
            self._connection.insert("leaf", rows)
            self._connection.insert("seen", sorted(keys))
            edge.keep(self._connection)
            self._connection.insert(
                "commits",
                [
                    (
                        commit.position,
                        commit.count,
                        commit.root,
                        commit.frontier,
                        stamped,
                        max(stamped, self._latest),
                        server,
                        queue_id,
                    )
                ],
            )
            self._connection.announce(commit.size)
        return commit

    def _latest_stamp(self) -> int:
        row = self._connection.execute("SELECT latest FROM commits ORDER BY position DESC LIMIT 1").fetchone()
        return row[0] if row else 0

    def _subjects(self, names: Iterable[str]) -> dict[str, int | None]:
        """The number of each subject, ``None`` when the log has none; asked once under one lock."""
        unasked = [name for name in names if name not in self._numbers]
        if unasked:
            self._numbers |= dict.fromkeys(unasked) | _numbers_of(self._connection, "subject", unasked)
        return {name: self._numbers[name] for name in names}

    def _interned(self, table: str, known: dict[str, int | None]) -> dict[str, int]:
        """The numbers of names, those that are new given in order, so that the index grows page by page."""
        numbers = {name: number for name, number in known.items() if number is not None}
        new = sorted(known.keys() - numbers.keys())
        if new:
            (last,) = self._connection.execute(f"SELECT COALESCE(MAX(id), 0) FROM {table}").fetchone()  # noqa: S608
            added = {name: last + place for place, name in enumerate(new, 1)}
            self._connection.insert(table, [(number, name) for name, number in added.items()])
            numbers |= added
        return numbers


def _numbers_of(connection: Connection, table: str, names: Iterable[str]) -> dict[str, int]:
    among, listed = connection.among(names, "text")
    return dict(
        connection.execute(f"SELECT name, id FROM {table} WHERE name {among}", (listed,)).fetchall()  # noqa: S608
    )


def bring_up(connection: Connection) -> None:
    """Bring a ledger of an earlier format up to this one."""
    (found,) = connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
    if found in schema.EARLIER_FORMATS:
        last = last_commit(connection)
        follow_log(connection, last.size if last else 0)
        connection.execute("UPDATE meta SET value = ? WHERE key = 'format'", (str(schema.FORMAT),))


def check_format(connection: Connection) -> None:
    """Refuse a database that is not a ledger of this format.

    Raises:
        WrongLedgerError: it is not.
    """
    try:
        if "meta" not in connection.tables():
            raise WrongLedgerError("what is there is not a ledger of Greffe: it has no table meta")
        row = connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
    except sqlite3.DatabaseError as error:
        raise WrongLedgerError(f"the file is not a ledger of Greffe: {error}") from error
    if row is None or row[0] != str(schema.FORMAT):
        found = row[0] if row else "none"
        raise WrongLedgerError(f"the ledger has format {found}; this program reads format {schema.FORMAT}")
