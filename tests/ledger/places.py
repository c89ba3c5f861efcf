"""Where a ledger of a test lies: a file, or a schema of a private PostgreSQL server that all tests share."""

from __future__ import annotations

import itertools
import re
from contextlib import closing, contextmanager
from functools import cache

import pytest

from ledger.store.engine import is_postgresql, open_connection
from scripts.bench.postgresql import private_postgresql, why_not

SERVERS = {"postgresql": None, "postgresql18": "18"}
ENGINES = [
    "sqlite",
    *(pytest.param(name, marks=[pytest.mark.postgresql]) for name in SERVERS),
]
only_sqlite = pytest.mark.parametrize("place", ["sqlite"], indirect=True)
only_postgresql = pytest.mark.parametrize("place", ENGINES[1:], indirect=True)
_numbers = itertools.count(1)
_WORDS = (
    (
        r"CAST\(replace\(CAST\(state AS TEXT\), (.*)\) AS BLOB\)",
        r"convert_to(replace(convert_from(state, 'UTF8'), \1), 'UTF8')",
    ),
    (r"CAST\(CAST\(state AS TEXT\) \|\| ' ' AS BLOB\)", r"state || '\\x20'::bytea"),
    (r"zeroblob\(length\((\w+)\)\)", r"decode(repeat('00', length(\1)), 'hex')"),
    (r"zeroblob\((\d+)\)", r"decode(repeat('00', \1), 'hex')"),
    (r"x'([0-9a-f]*)'", r"'\\x\1'::bytea"),
    (r"rowid", "ctid"),
)


class Servers:
    """Started when first asked for, stopped when the tests end."""

    def __init__(self, stack):
        self._stack = stack
        self.named = cache(self._start)

    def _start(self, name):
        version = SERVERS[name]
        reason = why_not(version)
        if reason is not None:
            pytest.skip(reason)
        return self._stack.enter_context(private_postgresql(version))


class Place:
    """Addresses of ledgers that are not there yet, and a way behind the program's back."""

    def __init__(self, engine, folder, servers):
        self.engine = engine
        self._folder = folder
        self.server = None if engine == "sqlite" else servers.named(engine)
        self._names = set()

    def url(self, name="ledger"):
        """A new address."""
        if self.server is None:
            assert name not in self._names, "each address once"
            self._names.add(name)
            return f"sqlite:///{self._folder / name}.db"
        return self.server.new_schema(f"{name}_{next(_numbers)}")

    @staticmethod
    def ask(url, statement):
        """The rows that a statement gives."""
        with closing(open_connection(url)) as connection:
            return [tuple(row) for row in connection.execute(statement).fetchall()]

    @staticmethod
    @contextmanager
    def behind(url):
        """A connection of somebody with full access."""
        with closing(open_connection(url)) as connection:
            yield connection

    @staticmethod
    def tamper(url, *statements):
        """Change a ledger as somebody with full access would: triggers dropped first."""
        with Place.behind(url) as connection:
            for name in connection.triggers():
                table = f" ON {name.rpartition('_no_')[0]}" if is_postgresql(url) else ""
                connection.execute(f"DROP TRIGGER {name}{table}")
            for statement in statements:
                assert connection.execute(in_words_of(url, statement)).rowcount > 0, statement


def in_words_of(url, statement):
    """A statement of SQLite's, in the words of the engine at an address."""
    if is_postgresql(url):
        for ours, theirs in _WORDS:
            statement = re.sub(ours, theirs, statement)
    return statement
