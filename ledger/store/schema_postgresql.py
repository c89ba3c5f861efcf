"""The tables of a ledger on PostgreSQL, and the triggers that keep the log append-only.

Text is compared by its bytes (``COLLATE "C"``), as SQLite does: the order of subjects and commitments is the
same on both. Triggers fire always, also in a session that calls itself a replica. What a role needs that
records and may not change the log stands in ``docs/operations.md``; a test runs it from there.
"""

from __future__ import annotations

from ledger.store.schema import COLUMNS, LOG_TABLES

_KEYS = {
    "meta": "PRIMARY KEY (key)",
    "subject": "PRIMARY KEY (id), UNIQUE (name)",
    "topic": "PRIMARY KEY (id), UNIQUE (name)",
    "leaf": "PRIMARY KEY (position)",
    "commits": "PRIMARY KEY (position)",
    "seen": "PRIMARY KEY (key, position)",
    "tile": "PRIMARY KEY (id)",
    "edge": "PRIMARY KEY (level)",
    "checkpoint": "PRIMARY KEY (size)",
    "vault_key": "PRIMARY KEY (account, retention)",
    "sealed": "PRIMARY KEY (commitment)",
    "raw_mail": "PRIMARY KEY (sha256, account)",
}
_TYPES = {"text": 'text COLLATE "C"'}
_INDEXES = (
    "CREATE UNIQUE INDEX leaf_stream ON leaf (subject, version)",
    "CREATE INDEX commits_latest ON commits (latest, position)",
    "CREATE INDEX commits_queue_id ON commits (queue_id)",
)
# the server keeps samples of columns in pg_statistic: a key or a ciphertext would outlive its erasure there
_UNSAMPLED = tuple(
    f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS 0"
    for table in ("vault_key", "sealed", "raw_mail")
    for column in COLUMNS[table]
)
_REFUSAL = """CREATE FUNCTION log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the log is append-only: no % on %', TG_OP, TG_TABLE_NAME
  USING ERRCODE = 'integrity_constraint_violation'; END $$"""
TRIGGERS = {
    f"{table}_no_{action.lower()}": (table, action)
    for table in LOG_TABLES
    for action in ("UPDATE", "DELETE", "TRUNCATE")
}


def _table(name: str) -> str:
    columns = ", ".join(
        f"{column} {_TYPES.get(kind, kind)} NOT NULL" for column, kind in COLUMNS[name].items()
    )
    return f"CREATE TABLE {name} ({columns}, {_KEYS[name]})"


def _refusing(trigger: str, table: str, action: str) -> tuple[str, str]:
    made = (
        f"CREATE TRIGGER {trigger} BEFORE {action} ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION log_is_append_only()"
    )
    return made, f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}"


MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        *(_table(name) for name in COLUMNS),
        *_INDEXES,
        *_UNSAMPLED,
        _REFUSAL,
        *(statement for name, (on, action) in TRIGGERS.items() for statement in _refusing(name, on, action)),
    ),
)
"""What makes the tables, step by step; ``meta`` says how many were taken. Each is one transaction's part, so
a step is taken whole or not at all, and never twice. A new step is added at the end; none is ever changed."""
