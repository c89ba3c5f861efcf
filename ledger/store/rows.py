"""The tables of a ledger as they lie in the database, in one snapshot: what an audit distrusts.

Nothing is joined, parsed or trusted here, and every answer is of the same instant, while others go on
writing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from ledger.store import schema
from ledger.store.engine import open_connection
from ledger.store.proof import read_tile
from ledger.store.writing import last_commit

_LEVEL_SHIFT = 56
_SEALED = (
    "SELECT s.commitment, s.account, s.retention, k.key, s.nonce, s.ciphertext FROM sealed s"
    " LEFT JOIN vault_key k ON k.account = s.account AND k.retention = s.retention"
)
_RAW_MAILS = (
    "SELECT m.sha256, m.account, 'mail', k.key, m.nonce, m.ciphertext FROM raw_mail m"
    " LEFT JOIN vault_key k ON k.account = m.account AND k.retention = 'mail'"
)


def as_bytes(value: object) -> bytes:
    """A value that ought to be bytes, whatever SQLite was made to hold in its place."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class Entry:
    """One ciphertext of the vault: what it is filed under (a commitment, or a mail's SHA-256), its key."""

    name: str
    account: str
    retention: str
    key: bytes | None
    nonce: bytes
    ciphertext: bytes


class Rows:
    """Raw rows of the ledger at ``url``; close it, since it keeps its snapshot until then."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection = open_connection(url, reading=True)
        self._connection.begin_snapshot()
        last = last_commit(self._connection)
        self.size = last.size if last else 0

    def close(self) -> None:
        """Let go of the snapshot."""
        self._connection.close()

    def grown(self, queue_id: str) -> bool:
        """Whether the ledger holds a commit of this queue id by now, once nobody is writing one."""
        with closing(open_connection(self._url)) as live:
            live.begin_writing()  # a recorder asks for its stamp under the writer's lock
            row = live.execute("SELECT 1 FROM commits WHERE queue_id = ?", (queue_id,)).fetchone()
            live.rollback()
        return row is not None

    def integrity(self) -> list[str]:
        """What the engine itself finds wrong with the file, its indexes included."""
        return self._connection.damaged()

    def unexamined(self) -> str | None:
        """What of that this engine cannot tell, in a sentence."""
        return self._connection.unexamined()

    def missing_triggers(self) -> list[str]:
        """The triggers that keep the log append-only and are not there."""
        wanted = {f"{table}_no_{action}" for table in schema.LOG_TABLES for action in ("update", "delete")}
        return sorted(wanted - self._connection.triggers())

    def stamps(self) -> Iterator[tuple[int, int, int]]:
        """Of every commit in order: position, its stamp, the greatest stamp so far (microseconds)."""
        yield from self._connection.each("SELECT position, stamped, latest FROM commits ORDER BY position")

    def seen(self) -> Iterator[tuple[int, int]]:
        """Every row of the index of ids: key, position."""
        yield from self._connection.each("SELECT key, position FROM seen")

    def nameless_leaves(self) -> Iterator[tuple[int, int, int]]:
        """Leaves whose subject or type has no name: position, numbers of subject and type."""
        yield from self._connection.each(
            "SELECT position, subject, topic FROM leaf WHERE subject NOT IN (SELECT id FROM subject)"
            " OR topic NOT IN (SELECT id FROM topic) ORDER BY position"
        )

    def unused_subjects(self) -> Iterator[str]:
        """Names of subjects that no leaf has."""
        rows = self._connection.each(
            "SELECT name FROM subject s WHERE NOT EXISTS (SELECT 1 FROM leaf l WHERE l.subject = s.id)"
        )
        yield from (str(name) for (name,) in rows)

    def topics(self) -> list[str]:
        """Names of types."""
        return [str(name) for (name,) in self._connection.execute("SELECT name FROM topic ORDER BY id")]

    def names_given_twice(self) -> list[str]:
        """Subjects and types that two numbers stand for."""
        rows = self._connection.execute(
            "SELECT name FROM subject GROUP BY name HAVING COUNT(*) > 1"
            " UNION ALL SELECT name FROM topic GROUP BY name HAVING COUNT(*) > 1"
        )
        return [str(name) for (name,) in rows]

    def sealed(self) -> Iterator[Entry]:
        """Every personal value."""
        return (Entry(*row) for row in self._connection.each(_SEALED))

    def raw_mails(self) -> Iterator[Entry]:
        """Every mail."""
        return (Entry(*row) for row in self._connection.each(_RAW_MAILS))

    def begun_erasures(self) -> list[str]:
        """The accounts of which values were destroyed, and no fact says so yet."""
        rows = self._connection.execute(
            "SELECT key FROM meta WHERE key >= ? AND key < ?", (schema.BEGUN, schema.AFTER_BEGUN)
        )
        return [str(key).removeprefix(schema.BEGUN) for (key,) in rows]

    def tile(self, level: int, number: int) -> bytes:
        """The hashes of a tile, joined; nothing when it is not there."""
        return read_tile(self._connection, level, number)

    def tile_names(self) -> Iterator[tuple[int, int]]:
        """Level and number of every full tile."""
        for (name,) in self._connection.each("SELECT id FROM tile ORDER BY id"):
            yield name >> _LEVEL_SHIFT, name & ((1 << _LEVEL_SHIFT) - 1)

    def edge(self) -> dict[int, tuple[int, bytes]]:
        """The partial tile of each level: its number, its hashes."""
        rows = self._connection.execute("SELECT level, number, hashes FROM edge")
        return {level: (number, bytes(hashes)) for level, number, hashes in rows}

    def checkpoints(self) -> Iterator[tuple[int, bytes]]:
        """Every signed checkpoint: the size it is filed under, the note."""
        yield from self._connection.each("SELECT size, note FROM checkpoint ORDER BY size")
