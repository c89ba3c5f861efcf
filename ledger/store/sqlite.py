"""The persistence module for ``eventsourcing`` on SQLite: one stream per subject, leaves as states.

Select it with ``PERSISTENCE_MODULE=ledger.store.sqlite`` and ``SQLITE_DBNAME=FILE``. Differences from
the library's own module, each measured or forced (``DESIGN.md`` §5): positions are gap-free and start
at 0 (notification id = position + 1), subjects and topics are interned as integers, writing begins
with BEGIN IMMEDIATE under ``synchronous=FULL``, and nothing is inserted without a stamped commit.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from eventsourcing import sqlite as library
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import JSONTranscoder, Mapper, Notification, ProgrammingError, StoredEvent
from eventsourcing.sqlite import (
    SQLiteApplicationRecorder,
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteCursor,
    SQLiteDatastore,
)
from eventsourcing.utils import Environment, EnvType

from ledger.errors import WrongLedgerError
from ledger.store import schema
from ledger.store.commits import Commit, from_microseconds, to_microseconds
from ledger.store.proof import extend_tiles, follow_log
from ledger.store.vault import Vault

FIRST_VERSION = 1
LOCK_TIMEOUT_SECONDS = 30
_CACHE_KIB = 64 * 1024


@dataclass(frozen=True)
class LeafEvent:
    """A leaf as the library's domain event: whose stream, which version, what type, which bytes."""

    originator_id: str
    originator_version: int
    topic: str
    state: bytes


class LeafMapper(Mapper[str]):
    """Maps leaves to stored events and back: topic = the fact's type, state = the leaf's bytes."""

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> StoredEvent:
        """The stored event of a leaf."""
        if not isinstance(domain_event, LeafEvent):
            raise ProgrammingError(f"only leaves are stored, not {type(domain_event).__name__}")
        return StoredEvent(
            originator_id=domain_event.originator_id,
            originator_version=domain_event.originator_version,
            topic=domain_event.topic,
            state=domain_event.state,
        )

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[str]:
        """The leaf of a stored event."""
        return LeafEvent(
            str(stored_event.originator_id),
            stored_event.originator_version,
            stored_event.topic,
            stored_event.state,
        )


def connect(path: str) -> sqlite3.Connection:
    """A connection with the settings that every reader and writer of a ledger shares.

    Raises:
        WrongLedgerError: the file is no database, or cannot be opened.
    """
    try:
        connection = sqlite3.connect(
            path, timeout=LOCK_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )
    except sqlite3.OperationalError as error:
        raise WrongLedgerError(f"{path} cannot be opened as a ledger: {error}") from error
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
    except sqlite3.DatabaseError as error:
        connection.close()
        raise WrongLedgerError(f"{path} cannot be opened as a ledger: {error}") from error
    return connection


def last_commit(connection: sqlite3.Connection) -> Commit | None:
    """The newest commit, or ``None`` before the first."""
    for commit in commits_of(connection, "ORDER BY position DESC LIMIT 1"):
        return commit
    return None


def commits_of(connection: sqlite3.Connection, clause: str, *parameters: int) -> Iterator[Commit]:
    """Commits that a WHERE/ORDER clause (written by this package, never by a caller) selects."""
    rows = connection.execute(
        f"SELECT position, count, root, frontier, stamped, server, queue_id FROM commits {clause}",  # noqa: S608
        parameters,
    )
    for position, count, root, frontier, stamped, server, queue_id in rows:
        yield Commit(position, count, root, frontier, from_microseconds(stamped), server, queue_id)


class _Connections(SQLiteConnectionPool):
    def _create_connection(self) -> SQLiteConnection:
        connection = connect(self.db_name)
        connection.row_factory = sqlite3.Row
        return SQLiteConnection(sqlite_conn=connection, max_age=self.max_age)


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

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.vault = Vault(connection)
        self.last = last_commit(connection)
        self.size = self.last.size if self.last else 0
        self._latest = self._latest_stamp()
        self._numbers: dict[str, int | None] = {}

    def positions_of(self, keys: Iterable[int]) -> dict[int, list[int]]:
        """Positions of the facts that bear a ``identity_key``, of those keys that were seen."""
        found: dict[int, list[int]] = {}
        for key, position in self._connection.execute(
            "SELECT key, position FROM seen WHERE key IN (SELECT value FROM json_each(?)) ORDER BY position",
            (_listed(keys),),
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
        for number, version in self._connection.execute(
            "SELECT subject, MAX(version) FROM leaf WHERE subject IN (SELECT value FROM json_each(?))"
            " GROUP BY subject",
            (_listed(names),),
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
        self._connection.executemany(
            "INSERT INTO leaf VALUES (?,?,?,?,?)",
            [
                (position, subjects[subject], version, topics[topic], state)
                for position, (subject, version, topic, state, _, _) in enumerate(leaves, self.size)
            ],
        )
        keys = [(leaf[5], position) for position, leaf in enumerate(leaves, self.size) if leaf[5] is not None]
        self._connection.executemany("INSERT INTO seen VALUES (?,?)", sorted(keys))
        frontier = extend_tiles(self._connection, [leaf[4] for leaf in leaves])
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
        self._connection.execute(
            "INSERT INTO commits VALUES (?,?,?,?,?,?,?,?)",
            (
                commit.position,
                commit.count,
                commit.root,
                commit.frontier,
                stamped,
                max(stamped, self._latest),
                server,
                queue_id,
            ),
        )
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
            (last,) = self._connection.execute(f"SELECT IFNULL(MAX(id), 0) FROM {table}").fetchone()  # noqa: S608
            added = {name: last + place for place, name in enumerate(new, 1)}
            self._connection.executemany(
                f"INSERT INTO {table} (name, id) VALUES (?,?)",  # noqa: S608
                list(added.items()),
            )
            numbers |= added
        return numbers


def _numbers_of(connection: sqlite3.Connection, table: str, names: Iterable[str]) -> dict[str, int]:
    return dict(
        connection.execute(
            f"SELECT name, id FROM {table} WHERE name IN (SELECT value FROM json_each(?))",  # noqa: S608
            (_listed(names),),
        ).fetchall()
    )


def _listed(values: Iterable[str] | Iterable[int]) -> str:
    """Values as one parameter of a statement, for SQLite's ``json_each``."""
    return orjson.dumps(list(values)).decode()


class LedgerRecorder(SQLiteApplicationRecorder):
    """The library's application recorder over the ledger's tables."""

    def construct_create_table_statements(self) -> list[str]:
        """The ledger's own schema."""
        return list(schema.STATEMENTS)

    def create_table(self) -> None:
        """Make the tables of a new ledger, or check that those of an old one are of this format.

        Raises:
            WrongLedgerError: the file holds another format.
        """
        with self.writing_connection() as connection:
            known = connection.execute(
                "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'meta'"
            ).fetchone()
            strangers = connection.execute(
                "SELECT 1 FROM sqlite_master WHERE type = 'table' LIMIT 1"
            ).fetchone()
            if strangers and not known:
                raise WrongLedgerError("the file is a database, but not a ledger of Greffe")
            for statement in self.create_table_statements:
                connection.execute(statement)
            connection.execute("INSERT OR IGNORE INTO meta VALUES ('format', ?)", (str(schema.FORMAT),))
            _bring_up(connection)
            check_format(connection)

    @contextmanager
    def writing_connection(self) -> Iterator[sqlite3.Connection]:
        """A connection inside BEGIN IMMEDIATE, the writer's lock; committed unless an error leaves it."""
        with self.datastore.get_connection(commit=True) as pooled:
            connection = pooled._sqlite_conn  # noqa: SLF001 - the library offers no accessor
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """The log under the writer's lock."""
        with self.writing_connection() as connection:
            yield Writing(connection)

    def _insert_events(
        self,
        c: SQLiteCursor,  # noqa: ARG002 - the library's signature
        stored_events: Sequence[StoredEvent],  # noqa: ARG002 - the library's signature
        **_: object,
    ) -> Sequence[int] | None:
        raise ProgrammingError(
            "no stamp, no commit: leaves are appended by ledger.recorder.Recorder, under a stamp"
        )

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """The leaves of one subject, by version."""
        order = "DESC" if desc else "ASC"
        with self.datastore.transaction(commit=False) as cursor:
            cursor.execute(
                "SELECT l.version, t.name AS topic, l.state FROM leaf l JOIN topic t ON t.id = l.topic"  # noqa: S608
                " WHERE l.subject = (SELECT id FROM subject WHERE name = ?)"
                f" AND l.version > ? AND l.version <= ? ORDER BY l.version {order} LIMIT ?",
                (
                    str(originator_id),
                    -1 if gt is None else gt,
                    (1 << 62) if lte is None else lte,
                    -1 if limit is None else limit,
                ),
            )
            return [
                StoredEvent(originator_id, row["version"], row["topic"], row["state"])
                for row in cursor.fetchall()
            ]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """The leaves in order of position; a notification's id is its position + 1."""
        first = 0 if start is None else start - 1 if inclusive_of_start else start
        where = "l.position >= ? AND l.position < ?"
        if topics:
            where += f" AND t.name IN ({','.join('?' * len(topics))})"
        with self.datastore.transaction(commit=False) as cursor:
            cursor.execute(
                "SELECT l.position, s.name AS subject, l.version, t.name AS topic, l.state FROM leaf l"  # noqa: S608
                f" JOIN subject s ON s.id = l.subject JOIN topic t ON t.id = l.topic WHERE {where}"
                " ORDER BY l.position LIMIT ?",
                (first, (1 << 62) if stop is None else stop, *topics, limit),
            )
            return [
                Notification(
                    id=row["position"] + 1,
                    originator_id=row["subject"],
                    originator_version=row["version"],
                    topic=row["topic"],
                    state=row["state"],
                )
                for row in cursor.fetchall()
            ]

    def _max_notification_id(self, c: SQLiteCursor) -> int:
        c.execute("SELECT MAX(position) + 1 FROM leaf")
        greatest: int = c.fetchone()[0]
        return greatest


def _bring_up(connection: sqlite3.Connection) -> None:
    """Bring a ledger of an earlier format up to this one."""
    (found,) = connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
    if found in schema.EARLIER_FORMATS:
        last = last_commit(connection)
        follow_log(connection, last.size if last else 0)
        connection.execute("UPDATE meta SET value = ? WHERE key = 'format'", (str(schema.FORMAT),))


def check_format(connection: sqlite3.Connection) -> None:
    """Refuse a database that is not a ledger of this format.

    Raises:
        WrongLedgerError: it is not.
    """
    try:
        row = connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
    except sqlite3.DatabaseError as error:
        raise WrongLedgerError(f"the file is not a ledger of Greffe: {error}") from error
    if row is None or row[0] != str(schema.FORMAT):
        found = row[0] if row else "none"
        raise WrongLedgerError(f"the ledger has format {found}; this program reads format {schema.FORMAT}")


class Factory(library.SQLiteFactory):
    """Makes the ledger's recorder and mapper for the library.

    The library finds it as the one factory named in this module, so its own is not imported by name.
    """

    application_recorder_class = LedgerRecorder

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        path = str(self.env.get(self.SQLITE_DBNAME))
        _private(path)
        self.datastore.close()
        self.datastore = SQLiteDatastore(path, lock_timeout=LOCK_TIMEOUT_SECONDS, originator_id_type="text")
        self.datastore.pool.close()
        self.datastore.pool = _Connections(db_name=path, lock_timeout=LOCK_TIMEOUT_SECONDS)

    def application_recorder(self) -> LedgerRecorder:
        """The recorder over this ledger's tables, which are made when they are missing."""
        recorder = LedgerRecorder(self.datastore)
        recorder.create_table()
        return recorder

    def mapper(self, *_arguments: object, **_options: object) -> Mapper[Any]:
        """Leaves are their own serialisation: no transcoder, compressor or cipher applies."""
        return LeafMapper(JSONTranscoder())


def _private(path: str) -> None:
    """Create the file readable by its owner alone, before SQLite does with the umask's mode."""
    if not Path(path).exists():
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
