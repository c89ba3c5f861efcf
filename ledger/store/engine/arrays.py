"""Columns of rows as PostgreSQL's binary arrays, one parameter each.

The driver dumps a list element by element; a commit of a thousand facts has thousands of them, so that
a whole column is packed at once here.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import chain, repeat

from psycopg import Connection
from psycopg.adapt import Dumper
from psycopg.pq import Format

_LENGTH = struct.Struct(">i")
_HEAD = struct.Struct(">iiIii")  # dimensions, whether there are nulls, type, length, lower bound
_BIGINT_BYTES = 8


class Bigints(tuple[int, ...]):
    """A column of ``bigint``."""

    __slots__ = ()


class Byteas(tuple[bytes, ...]):
    """A column of ``bytea``."""

    __slots__ = ()


class Texts(tuple[str, ...]):
    """A column of ``text``."""

    __slots__ = ()


class Booleans(tuple[bool, ...]):
    """A column of ``boolean``; what SQLite keeps as 0 and 1 is one too."""

    __slots__ = ()


COLUMNS = {"bigint": Bigints, "bytea": Byteas, "text": Texts, "boolean": Booleans}


def _array(oid: int, values: Sequence[object], body: bytes) -> bytes:
    return _HEAD.pack(1, 0, oid, len(values), 1) + body if values else struct.pack(">iiI", 0, 0, oid)


def _joined(values: Sequence[bytes]) -> bytes:
    return b"".join(chain.from_iterable((_LENGTH.pack(len(value)), value) for value in values))


class _BigintsDumper(Dumper):
    format = Format.BINARY
    oid = 1016

    def dump(self, obj: Bigints) -> bytes:
        numbers = chain.from_iterable(zip(repeat(_BIGINT_BYTES), obj, strict=False))
        return _array(20, obj, struct.pack(f">{'iq' * len(obj)}", *numbers))


class _ByteasDumper(Dumper):
    format = Format.BINARY
    oid = 1001

    def dump(self, obj: Byteas) -> bytes:
        return _array(17, obj, _joined(obj))


class _TextsDumper(Dumper):
    format = Format.BINARY
    oid = 1009

    def dump(self, obj: Texts) -> bytes:
        return _array(25, obj, _joined([text.encode() for text in obj]))


class _BooleansDumper(Dumper):
    format = Format.BINARY
    oid = 1000

    def dump(self, obj: Booleans) -> bytes:
        return _array(16, obj, _joined([b"\1" if value else b"\0" for value in obj]))


def register(connection: Connection) -> None:
    """Let a connection send such columns."""
    for column, dumper in (
        (Bigints, _BigintsDumper),
        (Byteas, _ByteasDumper),
        (Texts, _TextsDumper),
        (Booleans, _BooleansDumper),
    ):
        connection.adapters.register_dumper(column, dumper)
