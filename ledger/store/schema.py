"""The tables of a ledger, as SQLite declares them, and the triggers that keep the log append-only."""

from __future__ import annotations

FORMAT = 2
"""The version of this schema; a database of another format is refused, never guessed at."""

EARLIER_FORMATS = ("1",)
"""Formats that a writer brings up to this one: format 1 had no tiles and no signed checkpoints."""

BEGUN = "erasing "
"""How the table ``meta`` notes an erasure that is not recorded yet, the account following."""

COLUMNS: dict[str, dict[str, str]] = {
    "meta": {"key": "text", "value": "text"},
    "subject": {"id": "bigint", "name": "text"},
    "topic": {"id": "bigint", "name": "text"},
    "leaf": {
        "position": "bigint", "subject": "bigint", "version": "bigint", "topic": "bigint", "state": "bytea",
    },
    "commits": {
        "position": "bigint", "count": "bigint", "root": "bytea", "frontier": "bytea", "stamped": "bigint",
        "latest": "bigint", "server": "text", "queue_id": "text",
    },
    "seen": {"key": "bigint", "position": "bigint"},
    "tile": {"id": "bigint", "hashes": "bytea"},
    "edge": {"level": "bigint", "number": "bigint", "hashes": "bytea"},
    "checkpoint": {"size": "bigint", "note": "bytea", "vouched": "boolean"},
    "vault_key": {"account": "text", "retention": "text", "key": "bytea"},
    "sealed": {
        "commitment": "text", "account": "text", "retention": "text", "nonce": "bytea", "ciphertext": "bytea",
    },
    "raw_mail": {"sha256": "text", "account": "text", "nonce": "bytea", "ciphertext": "bytea"},
}  # fmt: skip
"""Every table with its columns, in order, in PostgreSQL's types."""

AFTER_BEGUN = BEGUN.replace(" ", "!")
"""The first text after all that begin so."""

LOG_TABLES = ("leaf", "subject", "topic", "commits", "seen", "tile")

_META = "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"
_SUBJECT = "CREATE TABLE IF NOT EXISTS subject (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)"
_TOPIC = "CREATE TABLE IF NOT EXISTS topic (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)"

# position: the 0-based leaf index; state: the leaf's bytes
_LEAF = """CREATE TABLE IF NOT EXISTS leaf (
    position INTEGER PRIMARY KEY, subject INTEGER NOT NULL, version INTEGER NOT NULL,
    topic INTEGER NOT NULL, state BLOB NOT NULL)"""
_LEAF_STREAM = "CREATE UNIQUE INDEX IF NOT EXISTS leaf_stream ON leaf (subject, version)"

# position: of the stamp leaf; root and frontier: of the tree after the commit; stamped: µs since 1970
# as read from the mail server; latest: the greatest stamp so far, so that « the first commit stamped
# after K » is one look-up even when the clock was stepped back
_COMMITS = """CREATE TABLE IF NOT EXISTS commits (
    position INTEGER PRIMARY KEY, count INTEGER NOT NULL, root BLOB NOT NULL, frontier BLOB NOT NULL,
    stamped INTEGER NOT NULL, latest INTEGER NOT NULL, server TEXT NOT NULL, queue_id TEXT NOT NULL)"""
_COMMITS_LATEST = "CREATE INDEX IF NOT EXISTS commits_latest ON commits (latest, position)"
_COMMITS_QUEUE_ID = "CREATE INDEX IF NOT EXISTS commits_queue_id ON commits (queue_id)"

# key: 63 bits of SHA-256 over id and source; collisions are told apart by reading the leaf
_SEEN = """CREATE TABLE IF NOT EXISTS seen (
    key INTEGER NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (key, position)) WITHOUT ROWID"""

# id: the level in the highest byte, then the number; edge: the partial tile of each level, its number;
# vouched: whether a token or a cosignature is about the checkpoint
_TILE = "CREATE TABLE IF NOT EXISTS tile (id INTEGER PRIMARY KEY, hashes BLOB NOT NULL)"
_EDGE = """CREATE TABLE IF NOT EXISTS edge (
    level INTEGER PRIMARY KEY, number INTEGER NOT NULL, hashes BLOB NOT NULL)"""
_CHECKPOINT = """CREATE TABLE IF NOT EXISTS checkpoint (
    size INTEGER PRIMARY KEY, note BLOB NOT NULL, vouched INTEGER NOT NULL)"""

# the vault: outside the tree, so that what it holds can be erased
_VAULT_KEY = """CREATE TABLE IF NOT EXISTS vault_key (
    account TEXT NOT NULL, retention TEXT NOT NULL, key BLOB NOT NULL,
    PRIMARY KEY (account, retention)) WITHOUT ROWID"""
_SEALED = """CREATE TABLE IF NOT EXISTS sealed (
    commitment TEXT PRIMARY KEY, account TEXT NOT NULL, retention TEXT NOT NULL,
    nonce BLOB NOT NULL, ciphertext BLOB NOT NULL) WITHOUT ROWID"""
_RAW_MAIL = """CREATE TABLE IF NOT EXISTS raw_mail (
    sha256 TEXT NOT NULL, account TEXT NOT NULL, nonce BLOB NOT NULL, ciphertext BLOB NOT NULL,
    PRIMARY KEY (sha256, account)) WITHOUT ROWID"""

_TRIGGERS = tuple(
    f"CREATE TRIGGER IF NOT EXISTS {table}_no_{action.lower()} BEFORE {action} ON {table}"
    f" BEGIN SELECT RAISE(ABORT, 'the log is append-only: no {action} on {table}'); END"
    for table in LOG_TABLES
    for action in ("UPDATE", "DELETE")
)

STATEMENTS = (
    _META,
    _SUBJECT,
    _TOPIC,
    _LEAF,
    _LEAF_STREAM,
    _COMMITS,
    _COMMITS_LATEST,
    _COMMITS_QUEUE_ID,
    _SEEN,
    _TILE,
    _EDGE,
    _CHECKPOINT,
    _VAULT_KEY,
    _SEALED,
    _RAW_MAIL,
    *_TRIGGERS,
)
