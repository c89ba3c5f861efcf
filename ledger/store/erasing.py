"""Destroying keys and ciphertexts of the vault, so that nothing of them stays within the ledger's reach.

A deleted row leaves its bytes behind: on SQLite in the file's free space and in the write-ahead log, on
PostgreSQL in the table's pages and in the server's own log. ``rewrite`` writes anew what the ledger reaches.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass

import orjson

from ledger.facts.catalogue import COMMON, TYPES
from ledger.facts.personal import values_at
from ledger.facts.shape import Retention
from ledger.store import schema
from ledger.store.engine import open_connection, writing
from ledger.store.rows import Entry

_COMMON_MAILS = "s.name >= 'mail/' AND s.name < 'mail0'"
_ENTRIES = (
    "SELECT c.name, c.account, c.retention, k.key, v.nonce, v.ciphertext FROM chosen c"
    " JOIN {table} v ON v.{name} = c.name AND v.account = c.account LEFT JOIN vault_key k"
    " ON k.account = c.account AND k.retention = c.retention WHERE c.raw = {raw}"
)


@dataclass(frozen=True, slots=True)
class Begun:
    """An erasure that has destroyed values and is not recorded yet."""

    id: str
    classes: list[Retention]
    values: int


class Erasing:
    """The entries of one account and some classes; a mail of no account that was attributed is its too.

    Raises:
        WrongLedgerError: another program is writing to the ledger.
    """

    def __init__(self, url: str, account: str, classes: Sequence[Retention]) -> None:
        self._account = account
        self._classes = list(classes)
        self._connection = open_connection(url)
        self._connection.overwrite()
        text = self._connection.text
        self._connection.execute(
            f"CREATE TEMP TABLE chosen (raw INTEGER, name {text}, account {text}, retention {text},"
            " PRIMARY KEY (raw, name, account))"
        )
        self._choose()

    def close(self) -> None:
        """Let go of the ledger."""
        self._connection.close()

    def entries(self) -> Iterator[Entry]:
        """What would be destroyed."""
        for table, name, raw in (("sealed", "commitment", 0), ("raw_mail", "sha256", 1)):
            for row in self._connection.each(_ENTRIES.format(table=table, name=name, raw=raw)):
                yield Entry(*row)

    def counted(self) -> dict[str, int]:
        """How many values there are of each class."""
        return dict(
            self._connection.execute("SELECT retention, COUNT(*) FROM chosen GROUP BY retention").fetchall()
        )

    def begun(self) -> Begun | None:
        """An erasure of this account that was not recorded: a crash came between."""
        row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (self._key,)).fetchone()
        return Begun(**orjson.loads(row[0])) if row else None

    def destroy(self) -> Begun:
        """Destroy keys and ciphertexts in one transaction, and note that this must be recorded."""
        connection = self._connection
        with writing(connection):
            connection.execute("DELETE FROM chosen")
            self._choose()  # again, under the writer's lock: a value may have come since
            counted = self.counted()
            classes = [name for name in self._classes if name in counted]
            begun = Begun(secrets.token_hex(16), classes, sum(counted.values()))
            connection.execute(
                "DELETE FROM sealed WHERE commitment IN (SELECT name FROM chosen WHERE raw = 0)"
            )
            connection.execute(
                "DELETE FROM raw_mail"
                " WHERE (sha256, account) IN (SELECT name, account FROM chosen WHERE raw = 1)"
            )
            connection.executemany(
                "DELETE FROM vault_key WHERE account = ? AND retention = ?",
                [(self._account, retention) for retention in begun.classes],
            )
            connection.execute(
                "INSERT INTO meta VALUES (?,?)", (self._key, orjson.dumps(asdict(begun)).decode())
            )
        return begun

    def recorded(self) -> None:
        """Forget the note: the erasure is on the record."""
        self._connection.execute("DELETE FROM meta WHERE key = ?", (self._key,))

    @property
    def _key(self) -> str:
        return schema.BEGUN + self._account

    def _choose(self) -> None:
        among, listed = self._connection.among(self._classes, "text")
        self._connection.execute(
            "INSERT INTO chosen SELECT 0, commitment, account, retention FROM sealed"  # noqa: S608 - no value
            f" WHERE account = ? AND retention {among}",
            (self._account, listed),
        )
        if "mail" in self._classes:
            self._connection.execute(
                "INSERT INTO chosen SELECT 1, sha256, account, 'mail' FROM raw_mail WHERE account = ?",
                (self._account,),
            )
        mine = self._attributed()
        if mine:
            self._choose_attributed(mine)

    def _attributed(self) -> set[str]:
        """The subjects of the mails of no account that this one turned out to be the sender of."""
        owners: dict[str, str] = {}
        for subject, state in self._connection.each(
            "SELECT s.name, l.state FROM leaf l JOIN subject s ON s.id = l.subject"  # noqa: S608 - constant
            " JOIN topic t ON t.id = l.topic"
            f" WHERE t.name = 'mail.attributed' AND {_COMMON_MAILS} ORDER BY l.position"
        ):
            owners[subject] = orjson.loads(state)["data"]["account"]
        return {subject for subject, owner in owners.items() if owner == self._account}

    def _choose_attributed(self, mine: set[str]) -> None:
        """Their values; one that a mail of somebody else holds too stays."""
        held: dict[bool, set[tuple[int, str, str]]] = {True: set(), False: set()}
        for subject, state in self._connection.each(
            "SELECT s.name, l.state FROM leaf l JOIN subject s ON s.id = l.subject"  # noqa: S608 - constant
            f" WHERE {_COMMON_MAILS}"
        ):
            leaf = orjson.loads(state)
            held[subject in mine].update(_held(leaf))
        self._connection.executemany(
            "INSERT INTO chosen SELECT ?, ?, ?, ?"
            " WHERE EXISTS (SELECT 1 FROM sealed WHERE commitment = ?)"
            " OR EXISTS (SELECT 1 FROM raw_mail WHERE sha256 = ? AND account = ?) ON CONFLICT DO NOTHING",
            [
                (raw, name, COMMON, retention, name, name, COMMON)
                for raw, name, retention in held[True] - held[False]
                if retention in self._classes
            ],
        )


def _held(leaf: dict[str, object]) -> Iterator[tuple[int, str, str]]:
    """What a leaf of a mail refers to: whether a raw mail, its name, its class."""
    data = leaf["data"]
    for path, mark in TYPES[str(leaf["type"])].personal.items():
        for _, commitment in values_at(data, path):
            yield 0, commitment, mark.retention
    if isinstance(data, dict) and "message_sha256" in data:
        yield 1, data["message_sha256"], "mail"


def kept_rows(url: str) -> Iterator[tuple[str, int, bytes]]:
    """All that a client can read of the ledger's tables: table, place among its rows, its columns' bytes."""
    with closing(open_connection(url, reading=True)) as connection:
        connection.begin_snapshot()
        for table in schema.COLUMNS:
            yield f"table {table}", 0, b""  # so that an empty one is told too
            for place, row in enumerate(connection.each(f"SELECT * FROM {table}")):  # noqa: S608 - our tables
                yield f"table {table}", place, b"\0".join(map(_as_bytes, row))


def _as_bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
