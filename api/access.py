"""Who may do what: API keys with roles, one-time links, and the sessions they open.

Kept in a small SQLite file beside the ledger (``FILE.access``, mode 0600), never in the log: who may call
is not a fact of the contract. Keys, links and sessions are 32 random bytes, so a plain SHA-256 of each is
enough: a slow password hash defends guessable secrets, and 256 random bits cannot be guessed. The
host's clock dates and expires them; it never dates a fact.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
import threading
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, get_args

from ledger import instants
from ledger.errors import NotRecordedError, WrongCallError
from ledger.facts.catalogue import COMMON, account_of

Role = Literal["writer", "reader", "auditor"]
ROLES: frozenset[str] = frozenset(get_args(Role))

KEY_PREFIX = "greffe_"
LINK_HOURS = 24
SESSION_HOURS = 12
_SECRET_BYTES = 32
_LONGEST_NAME = 128

_PUBLIC_WORDS = frozenset({"terms", "price", "rate", "region", "subcontractors", "force-majeure"})
"""Common subjects that every client may read: they name no other client."""
_PUBLIC_SERVICE_KINDS = frozenset({"maintenance", "incident"})
_SERVICE_KIND_PLACE = 2

_STATEMENTS = (
    (
        "CREATE TABLE IF NOT EXISTS keys (name TEXT PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE,"
        " roles TEXT NOT NULL, account TEXT, created TEXT NOT NULL, revoked TEXT) WITHOUT ROWID"
    ),
    "CREATE TABLE IF NOT EXISTS links (sha256 TEXT PRIMARY KEY, expires TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS sessions (sha256 TEXT PRIMARY KEY, expires TEXT NOT NULL) WITHOUT ROWID",
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: a key's name, its roles, and the one account it is bound to (``None``: all)."""

    name: str
    roles: frozenset[str]
    account: str | None = None

    def may_write(self, account: str) -> bool:
        """Whether facts of ``account`` may be recorded; a bound key writes its own account only."""
        return "writer" in self.roles and self.account in (None, account)

    @property
    def may_audit(self) -> bool:
        """Whether the whole log may be read, byte for byte."""
        return "auditor" in self.roles and self.account is None

    def may_read_account(self, account: str) -> bool:
        """Whether the answers about ``account`` may be read."""
        return self.may_audit or ("reader" in self.roles and self.account in (None, account))

    def may_read_subject(self, subject: str) -> bool:
        """Whether a subject's facts may be read: the account's own, or common facts that name nobody."""
        account = account_of(subject)
        if account != COMMON:
            return self.may_read_account(account)
        if self.may_audit or ("reader" in self.roles and self.account is None):
            return True
        return "reader" in self.roles and _names_nobody(subject)


def _names_nobody(subject: str) -> bool:
    parts = subject.split("/")
    if parts[0] == "service":
        return len(parts) > _SERVICE_KIND_PLACE and parts[_SERVICE_KIND_PLACE] in _PUBLIC_SERVICE_KINDS
    return parts[0] in _PUBLIC_WORDS


SESSION_CALLER = Caller("session", frozenset({"reader", "auditor"}))
"""Whoever opened a link: reads everything, writes nothing."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key as listed: everything but its secret, which nobody keeps."""

    name: str
    roles: tuple[str, ...]
    account: str | None
    created: str
    revoked: str | None


class Access:
    """The file of keys, links and sessions; safe to share between threads and processes.

    ``environment_key`` is a key of the roles writer and auditor that lives as long as the process that was
    given it (``GREFFE_API_KEY``), and is never written to the file.
    """

    def __init__(self, path: Path, *, environment_key: str | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._environment_sha256 = _sha256(environment_key) if environment_key else None
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
        for statement in _STATEMENTS:
            self._connection.execute(statement)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    def add_key(self, name: str, roles: Iterable[str], account: str | None = None) -> str:
        """Make a key; its text is returned this once and kept nowhere.

        Raises:
            WrongCallError: the name is taken or empty, a role is unknown, or an auditor is bound to one
                account (the log holds all of them).
        """
        wanted = tuple(sorted(set(roles)))
        if not wanted or not ROLES.issuperset(wanted):
            raise WrongCallError(f"a key has one or more of the roles {', '.join(sorted(ROLES))}")
        if account is not None and "auditor" in wanted:
            raise WrongCallError("an auditor reads the whole log, so its key cannot be bound to one account")
        if not 1 <= len(name) <= _LONGEST_NAME or not name.isprintable():
            raise WrongCallError(f"a key's name has 1 to {_LONGEST_NAME} printable characters")
        key = KEY_PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
        row = (name, _sha256(key), ",".join(wanted), account, instants.plain(_now()))
        try:
            with self._lock:
                self._connection.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?, NULL)", row)
        except sqlite3.IntegrityError as error:
            raise WrongCallError(f"a key named {name!r} exists already; revoked names stay taken") from error
        return key

    def list_keys(self) -> list[Key]:
        """Every key ever made, revoked ones included, by name."""
        rows = self._rows("SELECT name, roles, account, created, revoked FROM keys ORDER BY name")
        return [Key(name, tuple(roles.split(",")), *rest) for name, roles, *rest in rows]

    def revoke_key(self, name: str) -> None:
        """End a key at once, in every process.

        Raises:
            NotRecordedError: no key in force has that name.
        """
        with self._lock:
            ended = self._connection.execute(
                "UPDATE keys SET revoked = ? WHERE name = ? AND revoked IS NULL",
                (instants.plain(_now()), name),
            ).rowcount
        if not ended:
            raise NotRecordedError(f"no key in force is named {name!r}")

    def caller_of_key(self, key: str) -> Caller | None:
        """Who holds a key, if it is one in force."""
        sha256 = _sha256(key)
        if self._environment_sha256 is not None and secrets.compare_digest(sha256, self._environment_sha256):
            return Caller("environment", frozenset({"writer", "auditor"}))
        rows = self._rows(
            "SELECT name, roles, account FROM keys WHERE sha256 = ? AND revoked IS NULL", sha256
        )
        return Caller(rows[0][0], frozenset(rows[0][1].split(",")), rows[0][2]) if rows else None

    def new_link_token(self) -> str:
        """A token that opens one session, once, within ``LINK_HOURS``."""
        token = secrets.token_urlsafe(_SECRET_BYTES)
        expires = instants.canonical(_now() + timedelta(hours=LINK_HOURS))
        with self._lock:
            self._connection.execute("DELETE FROM links WHERE expires <= ?", (instants.canonical(_now()),))
            self._connection.execute("INSERT INTO links VALUES (?, ?)", (_sha256(token), expires))
        return token

    def open_session(self, token: str) -> str | None:
        """Exchange a link's token for a session, once; ``None`` when it is used up, expired or unknown."""
        now = _now()
        session = secrets.token_urlsafe(_SECRET_BYTES)
        expires = instants.canonical(now + timedelta(hours=SESSION_HOURS))
        with self._lock:
            used = self._connection.execute(
                "DELETE FROM links WHERE sha256 = ? AND expires > ?",
                (_sha256(token), instants.canonical(now)),
            ).rowcount
            if not used:
                return None
            self._connection.execute("DELETE FROM sessions WHERE expires <= ?", (instants.canonical(now),))
            self._connection.execute("INSERT INTO sessions VALUES (?, ?)", (_sha256(session), expires))
        return session

    def caller_of_session(self, session: str) -> Caller | None:
        """The reader behind a session, while it lasts."""
        found = self._rows(
            "SELECT 1 FROM sessions WHERE sha256 = ? AND expires > ?",
            _sha256(session),
            instants.canonical(_now()),
        )
        return SESSION_CALLER if found else None

    def _rows(self, query: str, *values: str) -> list[tuple[str, ...]]:
        with self._lock, closing(self._connection.execute(query, values)) as cursor:
            return cursor.fetchall()


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _now() -> datetime:
    return datetime.now(UTC)
